package env

// A Goroutine is a kind of goroutine.
type Goroutine int

const (
	// A Thread does some work that the loop waits for, and ends. A virtual clock stands still meanwhile.
	Thread Goroutine = iota
	// A Waiter waits for what comes from elsewhere, as a Go channel, and may wait for ever.
	Waiter
	// A Runner runs one of several loops.
	Runner
)

func start(_ Goroutine, fn func()) { go fn() }
