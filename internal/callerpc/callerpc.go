// Package callerpc finds out from where a function was called, at next to no
// cost, so that each task can know where it was created.
//
// runtime.Callers takes 200 ns and more, as much as creating the task. But Go
// keeps frame pointers on amd64 and arm64, and the return address lies beside
// them: two loads. Elsewhere runtime.Callers does it.
package callerpc

import "runtime"

// Frame returns the function, file and line of a program counter from [Get].
func Frame(pc uintptr) runtime.Frame {
	f, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	return f
}
