// Package leakcheck fails a package's tests when they leave goroutines,
// suspended coroutines or file descriptors behind.
//
//	func TestMain(m *testing.M) { leakcheck.Main(m) }
//
// A package that owns background work is only right when that work ends, and
// no single test notices that it did not. So the check compares what exists
// before the first test with what exists after the last one. Goroutines are
// left to go.uber.org/goleak, which sees suspended coroutines (iter.Pull), too:
// the runtime lists them with the state "coroutine". Descriptors are read from
// /proc/self/fd; where that does not exist, only goroutines are checked.
//
// What is just ending when the tests return gets two seconds to end. The check
// is left out when a test has failed already (its leaks would hide the failure)
// and while fuzzing (the fuzzer's own pipes and goroutines come and go).
package leakcheck
