//go:build darwin || freebsd || dragonfly

package poller

func (p *kqueue) packet(c PacketConn) (PacketSocket, error) { return packetFD(p, c) }
