package poller

func (p *epoll) packet(c PacketConn) (PacketSocket, error) { return packetFD(p, c) }
