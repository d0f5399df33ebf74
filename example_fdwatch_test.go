//go:build linux || darwin || freebsd || dragonfly

package asyncio_test

import (
	"context"
	"fmt"
	"syscall"

	"github.com/go-asyncio/asyncio"
)

func ExampleLoop_AddReader() {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		var pipe [2]int
		if err := syscall.Pipe(pipe[:]); err != nil {
			return err
		}
		defer syscall.Close(pipe[0])
		defer syscall.Close(pipe[1])

		loop := asyncio.RunningLoop(ctx)
		got := asyncio.NewFuture[string](loop)
		err := loop.AddReader(uintptr(pipe[0]), func() {
			buf := make([]byte, 100)
			n, _ := syscall.Read(pipe[0], buf)
			got.SetResult(string(buf[:n]))
			loop.RemoveReader(uintptr(pipe[0]))
		})
		if err != nil {
			return err
		}
		if _, err := syscall.Write(pipe[1], []byte("hello")); err != nil {
			return err
		}
		text, err := got.Await(ctx)
		fmt.Println(text)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: hello
}

func ExampleLoop_AddWriter() {
	err := asyncio.Run(context.Background(), func(ctx context.Context) error {
		var pipe [2]int
		if err := syscall.Pipe(pipe[:]); err != nil {
			return err
		}
		defer syscall.Close(pipe[0])
		defer syscall.Close(pipe[1])

		loop := asyncio.RunningLoop(ctx)
		room := asyncio.NewFuture[bool](loop)
		err := loop.AddWriter(uintptr(pipe[1]), func() {
			room.SetResult(loop.RemoveWriter(uintptr(pipe[1])))
		})
		if err != nil {
			return err
		}
		_, err = room.Await(ctx)
		fmt.Println("there is room; a reader:", loop.RemoveReader(uintptr(pipe[0])))
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: there is room; a reader: false
}
