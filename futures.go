package asyncio

import (
	"fmt"

	"github.com/go-asyncio/asyncio/internal/engine"
)

// watch returns what lets by be told of each of the futures, not yet begun, and
// the futures in the same order: those given, without repetitions.
func watch[A AnyFuture](call string, p *engine.Parking, by engine.Watcher, given []A) ([]A, []engine.Watch, error) {
	for _, f := range given {
		inner, l := f.inner()
		if err := engine.CanAwait(call, p.Task(), inner, l); err != nil {
			return nil, nil, err
		}
	}
	futures := make([]A, 0, len(given))
	watches := make([]engine.Watch, 0, len(given))
	for _, f := range given {
		if inner, _ := f.inner(); inner.Claim() {
			watches = append(watches, engine.MakeWatch(by, inner, len(futures)))
			futures = append(futures, f)
		}
	}
	for i := range watches {
		watches[i].Of().Unclaim()
	}
	return futures, watches, nil
}

// mustFutures panics if one of the futures is nil.
func mustFutures[A AnyFuture](call string, futures []A) {
	var none A
	for i, f := range futures {
		if any(f) == any(none) {
			panic(fmt.Sprintf("asyncio: %s: number %d of %d futures is nil", call, i+1, len(futures)))
		}
	}
}

// namesOf is what waits for several futures says of them in reports: the names
// of those that are still pending, but not of a thousand.
func namesOf[A AnyFuture](futures []A, watches []engine.Watch) string {
	const most = 5
	names, n := "", 0
	for i := range watches {
		if f := watches[i].Of(); f == nil || f.Done() {
			continue
		}
		n++
		if n <= most {
			if n > 1 {
				names += ", "
			}
			names += futures[i].name()
		}
	}
	if n > most {
		names += fmt.Sprintf(" and %d more", n-most)
	}
	return names
}

// tasksOf yields the tasks among the futures that are still pending. If any of
// the futures is enough, they all have to be tasks, or it yields none.
func tasksOf[A AnyFuture](futures []A, watches []engine.Watch, any bool, yield func(*engine.Task) bool) {
	var tasks []*engine.Task
	for i := range watches {
		if f := watches[i].Of(); f == nil || f.Done() {
			continue
		}
		if t := taskOf(futures[i]); t != nil {
			tasks = append(tasks, t)
		} else if any {
			return
		}
	}
	for _, t := range tasks {
		if !yield(t) {
			return
		}
	}
}

// taskOf returns the task that f is, or nil.
func taskOf(f AnyFuture) *engine.Task {
	if t, ok := f.(interface{ self() *engine.Task }); ok {
		return t.self()
	}
	return nil
}
