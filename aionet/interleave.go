package aionet

import (
	"fmt"
	"net/netip"
)

// Interleave returns the addresses in the order in which happy eyeballs tries them (RFC 8305, section 4): first as many
// of the first address's family as first says, then one of the other family and one of this one in turns. Each family
// keeps its order; what is left of the longer one comes last.
//
// It panics if first < 1.
func Interleave(addrs []netip.Addr, first int) []netip.Addr {
	if first < 1 {
		panic(fmt.Sprintf("aionet: Interleave: the first family gets %d addresses; it must be at least 1", first))
	}
	return interleave(addrs, first, func(a netip.Addr) bool { return a.Unmap().Is4() })
}

func interleave[A any](addrs []A, first int, is4 func(A) bool) []A {
	var families [2][]A
	for _, a := range addrs {
		i := 0
		if is4(a) != is4(addrs[0]) {
			i = 1
		}
		families[i] = append(families[i], a)
	}
	mixed := make([]A, 0, len(addrs))
	take := func(family, n int) {
		n = min(n, len(families[family]))
		mixed = append(mixed, families[family][:n]...)
		families[family] = families[family][n:]
	}
	take(0, first)
	for len(mixed) < len(addrs) {
		take(1, 1)
		take(0, 1)
	}
	return mixed
}
