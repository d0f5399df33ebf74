package aiofile_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
)

// inTempDir runs an example on a loop, in a directory that is removed after it.
func inTempDir(main func(ctx context.Context, dir string) error) {
	dir, err := os.MkdirTemp("", "example")
	if err == nil {
		defer os.RemoveAll(dir)
		err = asyncio.Run(context.Background(), func(ctx context.Context) error { return main(ctx, dir) })
	}
	if err != nil {
		log.Print(err)
	}
}

func ExampleOpen() {
	inTempDir(func(ctx context.Context, dir string) error {
		_, err := aiofile.Open(ctx, filepath.Join(dir, "missing"))
		fmt.Println(errors.Is(err, fs.ErrNotExist))
		return nil
	})
	// Output: true
}

// A File is written and read as an *os.File is; only, nobody waits for the disk but this coroutine.
func ExampleCreate() {
	inTempDir(func(ctx context.Context, dir string) error {
		f, err := aiofile.Create(ctx, filepath.Join(dir, "greeting"))
		if err != nil {
			return err
		}
		defer f.Close()
		fmt.Fprintln(f, "hello, disk")
		p := make([]byte, 5)
		_, err = f.ReadAt(p, 0)
		fmt.Printf("%s\n", p)
		return err
	})
	// Output: hello
}

func ExampleFile_Lines() {
	inTempDir(func(ctx context.Context, dir string) error {
		name := filepath.Join(dir, "poem")
		if err := aiofile.WriteFile(ctx, name, []byte("roses are red\r\nviolets\n"), 0o600); err != nil {
			return err
		}
		f, err := aiofile.Open(ctx, name)
		if err != nil {
			return err
		}
		defer f.Close()
		for line, err := range f.Lines(ctx) {
			if err != nil {
				return err
			}
			fmt.Printf("%q\n", line)
		}
		return nil
	})
	// Output:
	// "roses are red"
	// "violets"
}

// Many files are read at once, in up to 32 threads.
func ExampleReadFile() {
	inTempDir(func(ctx context.Context, dir string) error {
		var reads []asyncio.Coroutine[[]byte]
		for i := range 3 {
			name := filepath.Join(dir, fmt.Sprint(i))
			if err := aiofile.WriteFile(ctx, name, []byte(fmt.Sprint("file ", i)), 0o600); err != nil {
				return err
			}
			reads = append(reads, func(ctx context.Context) ([]byte, error) { return aiofile.ReadFile(ctx, name) })
		}
		files, err := asyncio.Gather(ctx, reads...)
		fmt.Printf("%s\n", files)
		return err
	})
	// Output: [file 0 file 1 file 2]
}

// Who reads the settings finds the old ones or the new ones, and never a half.
func ExampleAtomic() {
	inTempDir(func(ctx context.Context, dir string) error {
		name := filepath.Join(dir, "settings")
		for _, text := range []string{"colour = red", "colour = blue"} {
			if err := aiofile.WriteFile(ctx, name, []byte(text), 0o600, aiofile.Atomic()); err != nil {
				return err
			}
		}
		text, err := aiofile.ReadFile(ctx, name)
		fmt.Printf("%s\n", text)
		return err
	})
	// Output: colour = blue
}

func ExampleAppendFile() {
	inTempDir(func(ctx context.Context, dir string) error {
		name := filepath.Join(dir, "log")
		for _, line := range []string{"started\n", "ended\n"} {
			if err := aiofile.AppendFile(ctx, name, []byte(line), 0o600); err != nil {
				return err
			}
		}
		text, err := aiofile.ReadFile(ctx, name)
		fmt.Printf("%s", text)
		return err
	})
	// Output:
	// started
	// ended
}

func ExampleWalkDir() {
	inTempDir(func(ctx context.Context, dir string) error {
		for _, d := range []string{".git/objects", "src/lib"} {
			if err := aiofile.MkdirAll(ctx, filepath.Join(dir, d), 0o700); err != nil {
				return err
			}
		}
		for e, err := range aiofile.WalkDir(ctx, dir) {
			if err != nil {
				return err
			}
			if e.Name() == ".git" {
				e.SkipDir()
			}
			name, _ := filepath.Rel(dir, e.Path)
			fmt.Println(filepath.ToSlash(name))
		}
		return nil
	})
	// Output:
	// .
	// .git
	// src
	// src/lib
}

func ExampleCopy() {
	inTempDir(func(ctx context.Context, dir string) error {
		src, dst := filepath.Join(dir, "src"), filepath.Join(dir, "dst")
		if err := aiofile.WriteFile(ctx, src, []byte("twice"), 0o600); err != nil {
			return err
		}
		n, err := aiofile.Copy(ctx, dst, src)
		fmt.Println(n, "bytes")
		return err
	})
	// Output: 5 bytes
}

// What walks an fs.FS works on the loop, and suspends its coroutine only.
func ExampleDirFS() {
	inTempDir(func(ctx context.Context, dir string) error {
		if err := aiofile.WriteFile(ctx, filepath.Join(dir, "page.html"), nil, 0o600); err != nil {
			return err
		}
		pages, err := fs.Glob(aiofile.DirFS(ctx, dir), "*.html")
		fmt.Println(pages)
		return err
	})
	// Output: [page.html]
}

func ExampleFile_Lock() {
	inTempDir(func(ctx context.Context, dir string) error {
		mine, err := aiofile.Create(ctx, filepath.Join(dir, "pid"))
		if err != nil {
			return err
		}
		if err := mine.Lock(ctx); err != nil {
			return err
		}
		other, err := aiofile.Open(ctx, mine.Name())
		if err != nil {
			return err
		}
		err = asyncio.Timeout(ctx, 10*time.Millisecond, other.Lock)
		fmt.Println("somebody else runs:", errors.Is(err, context.DeadlineExceeded))
		return nil
	})
	// Output: somebody else runs: true
}
