package env

import (
	crypto "crypto/rand"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
)

// Random is what asyncio.Rand returns.
type Random = *rand.Rand

// A Purpose has a stream of random numbers of its own, so that a draw more for one leaves those for others as they were.
type Purpose uint64

const (
	ForUsers   Purpose = iota // asyncio.Rand
	ForLibrary                // what the packages of this module draw
	ForTLS                    // what crypto/tls draws, for a loop whose Env has a Clock

	Purposes = iota // how many there are
)

// unpredictable has the same statistics as a seeded source, and costs as little, but nobody can tell what comes next
// from what came before.
func unpredictable(Purpose) Random {
	var seed [32]byte
	_, _ = crypto.Read(seed[:]) // never fails
	return rand.New(rand.NewChaCha8(seed))
}

// Seeded returns an Env.Rand that gives the same numbers for the same seed.
func Seeded(seed uint64) func(Purpose) Random {
	return func(p Purpose) Random { return rand.New(rand.NewPCG(seed, uint64(p))) }
}

// SeedVariable names the environment variable that has the seed of loops on a virtual clock.
const SeedVariable = "ASYNCIO_SEED"

// OnVirtualClock returns the system for a loop whose clock is virtual, where nothing may differ from one run to the
// next without need: its random numbers come from the seed in [SeedVariable], or else always from the same.
func OnVirtualClock() (*Env, error) {
	e := Real()
	seed := uint64(1)
	if v := os.Getenv(SeedVariable); v != "" {
		var err error
		if seed, err = strconv.ParseUint(v, 0, 64); err != nil {
			return nil, fmt.Errorf("%s is %q; a seed is a number from 0 to 2^64-1", SeedVariable, v)
		}
	}
	e.Rand = Seeded(seed)
	return e, nil
}
