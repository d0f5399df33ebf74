package main

import "strconv"

var processesPart = part{
	name:  "processes",
	title: "Processes",
	note: `/bin/true, started and awaited, one by one and 100 at a time; 200 in each repetition. The processes run on the same core. asyncio:
aioexec; os/exec: on goroutines; CPython: create_subprocess_exec, whose own ThreadedChildWatcher waits in a thread for each process.`,
	runs: 3,
	rows: func() []row {
		var rows []row
		for _, what := range []struct {
			name string
			n    int
		}{{"one by one", 1}, {"100 at a time", 100}} {
			n := strconv.Itoa(what.n)
			rows = append(rows, row{what.name, []contender{
				{"asyncio", inMicroseconds(program(ourCore, oneCore, build+"our-processes", n))},
				{"os/exec", inMicroseconds(program(ourCore, oneCore, build+"goprocesses", n))},
				{"CPython", inMicroseconds(program(ourCore, nil, debianPython, "peers/python/processes.py", "asyncio", n))},
				{"uvloop", inMicroseconds(program(ourCore, nil, debianPython, "peers/python/processes.py", "uvloop", n))},
			}, []metric{{"us", "µs a process", nil}}})
		}
		return rows
	},
}
