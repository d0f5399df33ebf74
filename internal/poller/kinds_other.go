//go:build !(linux || darwin || freebsd || dragonfly)

package poller

var kinds = []kind{portableKind}
