// Package faultproxy makes trouble between the two ends of stream connections, in tests: delays, tiny segments,
// stalls, slow reading, ends of one direction or both at a chosen byte, resets, silence.
//
// A [Proxy] listens, and connects each connection that it accepts with one to its target. What it does to a
// connection is a [Plan], which is made from a seed: the same seed makes the same decisions. When they take effect is
// the system's to say, so a replay meets the same faults at the same bytes, not at the same nanosecond.
//
// [Seeds] runs a test with one seed after another, names the seed that failed, and replays it.
//
// The proxy is plain goroutines on package net. It shares nothing with what it tests.
package faultproxy
