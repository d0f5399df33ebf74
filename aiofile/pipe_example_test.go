package aiofile_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-asyncio/asyncio"
	"github.com/go-asyncio/asyncio/aiofile"
)

func ExampleOpenPipe() {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		r, w, err := aiofile.OpenPipe(ctx)
		if err != nil {
			return err
		}
		asyncio.Go(ctx, func(context.Context) error {
			defer w.Close()
			_, err := io.WriteString(w, "one\ntwo\n")
			return err
		})
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			fmt.Println(lines.Text())
		}
		return lines.Err()
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// one
	// two
}

func ExampleNewPipe() {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		r, w, err := os.Pipe() // or what a program was handed as descriptor 3: os.NewFile(3, "events")
		if err != nil {
			return err
		}
		go func() {
			fmt.Fprint(w, "from a goroutine")
			w.Close()
		}()
		p, err := aiofile.NewPipe(ctx, r)
		if err != nil {
			return err
		}
		defer p.Close()
		text, err := io.ReadAll(p)
		fmt.Println(string(text))
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: from a goroutine
}

func ExampleStdout() {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		out, err := aiofile.Stdout(ctx)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, "a terminal that is slow does not hold the loop")
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: a terminal that is slow does not hold the loop
}

func ExampleStdin() {
	_ = asyncio.Run(context.Background(), func(ctx context.Context) error {
		in, err := aiofile.Stdin(ctx)
		if err != nil {
			return err
		}
		lines := bufio.NewScanner(in)
		for lines.Scan() {
			fmt.Println("you typed", lines.Text())
		}
		return lines.Err()
	})
}

func ExampleStderr() {
	_ = asyncio.Run(context.Background(), func(ctx context.Context) error {
		out, err := aiofile.Stderr(ctx)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, "something is odd")
		return err
	})
}

func ExampleOpenPTY() {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		primary, secondary, err := aiofile.OpenPTY(ctx)
		if errors.Is(err, errors.ErrUnsupported) {
			fmt.Println("on the terminal") // there are none on this system
			return nil
		}
		if err != nil {
			return err
		}
		defer primary.Close()
		fmt.Fprint(secondary, "on the terminal") // as a program would
		secondary.Close()
		screen, err := io.ReadAll(primary)
		fmt.Println(string(screen))
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: on the terminal
}
