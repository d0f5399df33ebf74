package engine

import "github.com/go-asyncio/asyncio/internal/env"

// Rand returns the loop's source of random numbers for a purpose. It belongs to
// the loop's goroutine, and is made when it is asked for first.
func (l *Loop) Rand(p env.Purpose) env.Random {
	if l.random[p] == nil {
		l.random[p] = l.Env.Rand(p)
	}
	return l.random[p]
}
