package main

import (
	"os"
	"path/filepath"
	"strconv"
)

var filesPart = part{
	name:  "files",
	title: "Files",
	note: `All in the page cache, on one core. 4 KiB: blocks of an open file, one by one, by aiofile's and os's ReadAt, and os.pread in asyncio.to_thread.
1 MiB: a file opened, read and closed by ReadFile. 1,000 files of 4 KiB each, all at once: in tasks, in goroutines, in threads by asyncio.gather.`,
	runs: 3,
	rows: func() []row {
		metrics := func(unit string) []metric {
			return []metric{{"us", unit, nil}, {"allocs", "allocations", nil}}
		}
		return []row{
			{"4 KiB of an open file", fileReaders("cached"), metrics("µs")},
			{"1 MiB", fileReaders("large"), metrics("µs")},
			{"1,000 small files", fileReaders("small"), metrics("µs a file")},
		}
	},
}

func fileReaders(what string) []contender {
	reader := func(env []string, args ...string) func() (values, error) {
		return func() (values, error) {
			dir, err := os.MkdirTemp("", "bench-files-")
			if err != nil {
				return nil, err
			}
			defer os.RemoveAll(dir)
			if err := writeFiles(dir); err != nil {
				return nil, err
			}
			return inMicroseconds(program(ourCore, env, append(args, what, dir)...))()
		}
	}
	return []contender{
		{"asyncio", reader(oneCore, build+"our-files")},
		{"os", reader(oneCore, build+"gofiles")},
		{"CPython", reader(nil, debianPython, "peers/python/files.py", "asyncio")},
		{"uvloop", reader(nil, debianPython, "peers/python/files.py", "uvloop")},
	}
}

func writeFiles(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "large"), make([]byte, 1<<20), 0o644); err != nil {
		return err
	}
	for i := range 1000 {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), make([]byte, 4<<10), 0o644); err != nil {
			return err
		}
	}
	return nil
}
