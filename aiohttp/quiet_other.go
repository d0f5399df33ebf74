//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package aiohttp

// quiet reports whether an idle connection is still one. This system has no
// cheap way to tell: a request that finds out is sent again if it may be.
func (c *conn) quiet() bool { return true }
