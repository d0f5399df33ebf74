package main

import "strconv"

var groupsPart = part{
	name:  "groups",
	title: "Groups of tasks",
	note: `Tasks that do nothing, started together and waited for together. Gather: their results come in order (Go: a
sync.WaitGroup, each goroutine writes into its place in a slice; tokio: the JoinHandles awaited in order). Group: no results,
but the first error would cancel the others (Go: errgroup.WithContext; CPython: TaskGroup; tokio: JoinSet). Everything on one core.`,
	runs: 3,
	rows: func() []row {
		var gathers, groups []row
		for _, n := range []int{10, 1_000, 100_000} {
			tasks := strconv.Itoa(n)
			metrics := func(peer string) []metric {
				return []metric{timeOf("a task", peer), {"allocs", "allocations a task", nil}}
			}
			const waitGroup, errGroup = "WaitGroup", "errgroup"
			gathers = append(gathers, row{"Gather of " + tasks, taskContenders(waitGroup, "gather", tasks), metrics(waitGroup)})
			groups = append(groups, row{"Group of " + tasks, taskContenders(errGroup, "group", tasks), metrics(errGroup)})
		}
		return append(gathers, groups...)
	},
}

var timeoutsPart = part{
	name:  "timeouts",
	title: "Timeouts",
	note: `A timeout of a second, armed before a call and disarmed after it. The call returns at once, or yields once before. Go:
context.WithTimeout of the background context, and cancel. Everything on one core.`,
	runs: 3,
	rows: func() []row {
		const peer = "context"
		metrics := []metric{timeOf("a timeout", peer), {"allocs", "allocations a timeout", nil}}
		return []row{
			{"returns at once", taskContenders(peer, "timeout"), metrics},
			{"yields once", taskContenders(peer, "timeout-yield"), metrics},
		}
	},
}

var cancelPart = part{
	name:  "cancel",
	title: "Cancellation",
	note: `100,000 tasks that wait for what never comes are cancelled and awaited; starting them does not count. One by one: each
is cancelled by itself (Go: each goroutine has a context of its own; tokio: abort). Together: by one call for all (ours:
TaskGroup.Cancel; Go: one context for all; CPython: the cancel of a gather; tokio: JoinSet.shutdown). Everything on one core.`,
	runs: 3,
	rows: func() []row {
		const peer = "context"
		metrics := []metric{timeOf("a task", peer)}
		return []row{
			{"one by one", taskContenders(peer, "cancel", "100000"), metrics},
			{"together", taskContenders(peer, "cancel-group", "100000"), metrics},
		}
	},
}
