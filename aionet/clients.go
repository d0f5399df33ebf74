package aionet

import (
	"net"
	"slices"
	"time"
)

// A client is a connection of a Server, from when it is accepted until it is closed and its handler has returned, or its
// protocol has been told. The server's watch holds all of them. There may be very many, and most of them idle: its size
// matters.
type client struct {
	server  *Server
	is      connection
	address addressKey // for whose count it is; 0: nobody's
	number  uint32     // in order of acceptance, in which clients are told what concerns them all
	index   int32      // in one of the watch's heaps; -1: in none

	readSince, wroteSince moment // when a byte came or went, or when the wait for it began
	silent                bool   // in the watch's heap of those
	left                  bool
	queued                bool // bytes that nobody waits for are to be sent; wroteSince knows since when

	// These two are for connections with handlers, and here since there is room.
	sending  bool // a coroutine waits to write
	returned bool // the handler has
}

// connection is what a client is: a connection with a handler, or a transport.
type connection interface {
	// close lets what was written be sent.
	close()
	abort()
	// cut is abort, and says why.
	cut(why *LimitError)
	waits(now time.Duration) waits
	remoteAddr() net.Addr
}

// enter makes k one of the server's clients.
func (s *Server) enter(k *client, is connection, address addressKey) {
	now := momentOf(s.loop.Time())
	s.accepted++
	*k = client{server: s, is: is, address: address, number: s.accepted, index: -1, readSince: now, wroteSince: now}
	s.count(address, 1)
	s.watch(k)
}

// leave ends that.
func (k *client) leave() {
	if k.left {
		return
	}
	k.left = true
	s := k.server
	s.unwatch(k)
	s.count(k.address, -1)
	s.room.WakeAll() // not each listener has a connection for it
	if s.closed && s.connections() <= s.inside {
		s.changed.WakeAll()
	}
}

// connections is how many clients there are.
func (s *Server) connections() int { return s.watched.checks.len() + s.watched.silent.len() }

// eachClient calls fn for every client in order of acceptance.
func (s *Server) eachClient(fn func(connection)) {
	all := slices.Concat(s.watched.checks.entries, s.watched.silent.entries)
	slices.SortFunc(all, func(a, b due) int { return a.k.comparedTo(b.k) })
	for _, d := range all {
		if !d.k.left {
			fn(d.k.is)
		}
	}
}

// comparedTo is negative if k came first. Numbers may have begun anew in between.
func (k *client) comparedTo(other *client) int { return int(int32(k.number - other.number)) }
