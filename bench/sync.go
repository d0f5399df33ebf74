package main

var syncPart = part{
	name:  "sync",
	title: "Locks, semaphores, events, queues, conditions",
	note: `Uncontended: one task takes and gives back, or sets, waits and clears, or puts and gets, and never has to wait.
Two tasks: they hand over to each other all the time (lock and queue: see the part above). 100 tasks: all want the lock, or
one of 10 permits. Who holds a lock or a permit yields, so that the others come to wait, and again after giving it back; a
result is the time of one hand-over with its two yields. Go has no event: a channel with room for one is what its users take
(sent to: set; received from: waited for and cleared); tokio's is a Notify. A condition's operation is to take the lock,
to notify nobody, and to release the lock; its two tasks take turns. x/sync's semaphore always panics on a Release too many,
as only our bounded one does. Everything on one core.`,
	runs: 3,
	rows: func() []row {
		const channel, weighted, mutex, cond = "channel", "x/sync", "sync.Mutex", "sync.Cond"
		semaphores := func(args ...string) []contender {
			all := taskContenders(weighted, append([]string{"semaphore" + args[0]}, args[1:]...)...)
			permits := taskContenders(channel, append([]string{"permits" + args[0]}, args[1:]...)...)[1]
			return append(all[:2:2], append([]contender{permits}, all[2:]...)...)
		}
		return []row{
			{"lock, uncontended", taskContenders(mutex, "lock-uncontended"), besideGo("an operation", mutex)},
			{"lock, 100 tasks", taskContenders(mutex, "lock", "100"), besideGo("a hand-over", mutex)},
			{"semaphore, uncontended", semaphores("-uncontended"), besideGo("an operation", weighted, channel)},
			{"semaphore, two tasks", semaphores(""), besideGo("a hand-over", weighted, channel)},
			{"semaphore, 100 tasks", semaphores("", "100"), besideGo("a hand-over", weighted, channel)},
			{"event, uncontended", taskContenders(channel, "event-uncontended"), besideGo("an operation", channel)},
			{"event, two tasks", taskContenders(channel, "event"), besideGo("a hand-over", channel)},
			{"queue, uncontended", taskContenders(channel, "queue-uncontended"), besideGo("an operation", channel)},
			{"bounded semaphore, uncontended", taskContenders(weighted, "bounded-uncontended")[:4], besideGo("an operation", weighted)},
			{"condition, uncontended", taskContenders(cond, "condition-uncontended")[:4], besideGo("an operation", cond)},
			{"condition, two tasks", taskContenders(cond, "condition")[:4], besideGo("a hand-over", cond)},
		}
	},
}

// besideGo is what is asked of a primitive: as fast as Go's own, 20 times as fast
// as CPython's, and no allocation.
func besideGo(each string, peers ...string) []metric {
	return []metric{timeOf(each, peers...), {"allocs", "allocations " + each, []target{{atMost: 0.01}}}}
}

// timeOf is the first line of besideGo.
func timeOf(each string, peers ...string) metric {
	m := metric{name: "ns", unit: "ns " + each}
	for _, peer := range peers {
		m.targets = append(m.targets, target{peer: peer, atMost: 1})
	}
	m.targets = append(m.targets, target{peer: "CPython", atMost: 0.05})
	return m
}
