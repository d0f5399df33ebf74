// Package env is what a loop and its programs get from outside: the time, randomness, the network, names, files, pipes,
// processes, threads and signals. It is one value, [Env], so that something else can take the system's place for all of
// it at once: a test, or a simulation of several hosts.
//
// [Real] is the system. Another environment is a copy of it in which something is replaced, or is made anew, as package
// standin's; it becomes a loop's by engine.Config. Nothing else in this module asks the system past it; ways_test.go
// holds that, and ways.txt lists what is left, and why. Whoever steps loops in another environment uses Poll, Step,
// NextTimer and the like of engine.Loop, or the Clock's Idle; program_test.go does both.
//
// What an environment cannot replace is in the standard library: keys of TLS are drawn from crypto/rand, and
// net/http/cookiejar asks time.Now.
package env
