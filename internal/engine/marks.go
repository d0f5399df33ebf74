package engine

// A goroutine profile has return addresses and nothing else: it does not tell
// one goroutine from another. So each loop has a mark, and calls what it runs
// from a place of its own, by which a stack in the profile shows whose it is.
// The marks are functions that are inlined where speed matters: they have names
// there, and no frames. Loops of the same mark are told apart by luck only; there
// are as many marks as there are likely to be loops.

const markPrefix = module + "/internal/engine.mark"

type executor interface{ Exec() }

func mark0(e executor) { e.Exec() }
func mark1(e executor) { e.Exec() }
func mark2(e executor) { e.Exec() }
func mark3(e executor) { e.Exec() }
func mark4(e executor) { e.Exec() }
func mark5(e executor) { e.Exec() }
func mark6(e executor) { e.Exec() }
func mark7(e executor) { e.Exec() }

var marks = [...]func(executor){mark0, mark1, mark2, mark3, mark4, mark5, mark6, mark7}

// rarestMark returns the mark that the fewest open loops have. The caller holds
// the lock of loops.
func rarestMark() uint8 {
	var n [len(marks)]int
	for l := range loops.open {
		n[l.mark]++
	}
	rarest := 0
	for m := range n {
		if n[m] < n[rarest] {
			rarest = m
		}
	}
	return uint8(rarest)
}

// hubRun is the part of a run that the hub does under the loop's mark.
type hubRun struct {
	loop     *Loop
	done     func() bool
	deadlock error
}

func (r *hubRun) Exec() { r.deadlock = r.loop.runTurns(r.done) }
