package main

import "strconv"

// The contenders of everything about tasks: one program each, with the same
// measurements by the same names.
func taskContenders(goroutines string, args ...string) []contender {
	python := func(loop string) func() (values, error) {
		return program(ourCore, nil, append([]string{debianPython, "peers/python/tasks.py", loop}, args...)...)
	}
	return []contender{
		{"asyncio", program(ourCore, oneCore, append([]string{build + "our-tasks"}, args...)...)},
		{goroutines, program(ourCore, oneCore, append([]string{build + "goroutines"}, args...)...)},
		{"CPython", python("asyncio")},
		{"uvloop", python("uvloop")},
		{"tokio", program(ourCore, nil, append([]string{build + "tokio/release/tokio-peer"}, args...)...)},
	}
}

var spawnPart = part{
	name:  "spawn",
	title: "Spawn and finish",
	note:  `A task that does nothing, started and awaited: 100,000 started and then awaited, in a loop or as a Group; and each one awaited before the next is started. Goroutines are awaited with a sync.WaitGroup. Everything on one core.`,
	runs:  5,
	rows: func() []row {
		const peer = "goroutines"
		metrics := func(beside ...target) []metric {
			return []metric{
				{"ns", "ns a task", append(beside, target{peer: peer, atMost: 0.5})},
				{"allocs", "allocations a task", []target{{atMost: 1.01}}},
			}
		}
		tokio := target{peer: "tokio", atMost: 1}
		return []row{
			{"100,000 at once", taskContenders(peer, "spawn", "100000"), metrics(tokio)},
			{"one by one", taskContenders(peer, "spawn-await"), metrics(tokio)},
			{"100,000 in a Group", groupContenders(peer), metrics()},
		}
	},
}

// groupContenders compares a Group with what goroutines have for it.
func groupContenders(goroutines string) []contender {
	return []contender{
		taskContenders(goroutines, "spawn-group", "100000")[0],
		taskContenders(goroutines, "spawn", "100000")[1],
	}
}

var yieldPart = part{
	name:  "yield",
	title: "Yield",
	note:  "Tasks that do nothing but let the others run. Everything on one core.",
	runs:  5,
	rows: func() []row {
		var rows []row
		for _, tasks := range []string{"2", "100", "10000"} {
			rows = append(rows, row{tasks + " tasks", taskContenders("Gosched", "yield", tasks), []metric{
				{"ns", "ns a yield", []target{{peer: "Gosched", atMost: 1}, {peer: "uvloop", atMost: 0.1}}},
				{"allocs", "allocations a yield", []target{{atMost: 0.01}}},
			}})
		}
		return rows
	},
}

var handoverPart = part{
	name:  "handover",
	title: "Hand-over between two tasks",
	note: `Queue: two queues with room for one, a number goes to and fro (Go: unbuffered channels; with room for one they are as fast).
Lock: each task yields while it holds the lock, so that the other one comes to wait, and again after the release. A
result is the time of one hand-over with its two yields. Future: each hand-over through a future made for it alone (Go: a
channel made for it alone; tokio: oneshot), so that making one, its allocation too, is part of it; beside it stands the
channel of the first row, which is made once. Everything on one core.`,
	runs: 5,
	rows: func() []row {
		const channel, newChannel = "channel", "new channel"
		queue := taskContenders(channel, "queue")
		return []row{
			{"queue", queue, besideGo("a hand-over", channel)},
			{"lock", taskContenders("sync.Mutex", "lock"), besideGo("a hand-over", "sync.Mutex")},
			{"future", append(taskContenders(newChannel, "future"), queue[1]), besideGo("a hand-over", newChannel, channel)},
		}
	},
}

var suspendedPart = part{
	name:  "suspended",
	title: "Suspended tasks",
	note: `Tasks that sleep for an hour, from nothing until all of them sleep; and futures that an hour will resolve (After), which
have no stack, beside time.After and CPython's call_later. Resident: growth of the process right after the start; live: heap
and stacks after a garbage collection. Everything on one core.`,
	runs: 3,
	rows: func() []row {
		var rows []row
		for _, n := range []int{100_000, 1_000_000} {
			n = brief(n, n/10)
			items := strconv.Itoa(n)
			const sleep, after = "time.Sleep", "time.After"
			rows = append(rows, row{items + " sleeping tasks", taskContenders(sleep, "sleepers", items), []metric{
				{"ns", "ns to start one", []target{{peer: sleep, atMost: 1.05}}},
				{"rss-bytes", "resident bytes each", []target{{peer: sleep, atMost: 1.05}}},
				{"live-bytes", "live bytes each", []target{{peer: sleep, atMost: 1.05}}},
			}}, row{items + " After", taskContenders(after, "after", items)[:4], []metric{
				{"ns", "ns to start one", nil},
				{"rss-bytes", "resident bytes each", nil},
				{"live-bytes", "live bytes each", []target{{atMost: 200}}},
			}})
		}
		return rows
	},
}
