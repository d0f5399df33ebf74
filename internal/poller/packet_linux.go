package poller

import "net"

func (p *epoll) AdoptPacket(c PacketConn) (PacketSocket, error) { return packetFD(p, c) }

func (p *epoll) ListenPacket(network, address string, o *Options) (PacketSocket, error) {
	return listenPacket(p, network, address, o)
}

func (p *epoll) DialPacket(network string, remote net.Addr, o *Options) (PacketSocket, error) {
	return dialPacket(p, network, remote, o)
}

func (p *epoll) RemoveDead(network, path string) error { return removeDead(network, path) }
