//go:build darwin || freebsd || dragonfly

package poller

import "net"

func (p *kqueue) AdoptPacket(c PacketConn) (PacketSocket, error) { return packetFD(p, c) }

func (p *kqueue) ListenPacket(network, address string, o *Options) (PacketSocket, error) {
	return listenPacket(p, network, address, o)
}

func (p *kqueue) DialPacket(network string, remote net.Addr, o *Options) (PacketSocket, error) {
	return dialPacket(p, network, remote, o)
}

func (p *kqueue) RemoveDead(network, path string) error { return removeDead(network, path) }
