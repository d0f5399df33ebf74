// Package env is what a loop and its programs get from outside: the time, randomness, the network, names, files,
// processes, threads and signals. It is one value, [Env], so that something else can take the system's place for all of
// it at once: a test, or a simulation of several hosts.
//
// [Real] is the system. Another environment is a copy of it in which something is replaced, and becomes a loop's by
// engine.Config. Nothing else in this module asks the system past it; ways_test.go holds that, and ways.txt lists what
// is left, and why.
package env
