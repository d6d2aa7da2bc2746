package transport

import (
	"net"
	"sync"
)

// connSet bounds connections, in all and by remote host, and closes what is
// left of them at the end.
type connSet struct {
	max, maxPerHost int

	mu     sync.Mutex
	conns  map[net.Conn]string
	byHost map[string]int
	closed bool
}

func newConnSet(limit, perHost int) *connSet {
	return &connSet{max: limit, maxPerHost: perHost, conns: make(map[net.Conn]string), byHost: make(map[string]int)}
}

// add reports whether there is room for the connection.
func (s *connSet) add(c net.Conn) bool {
	host := remoteHost(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.conns) >= s.max || s.byHost[host] >= s.maxPerHost {
		return false
	}
	s.conns[c] = host
	s.byHost[host]++
	return true
}

func (s *connSet) remove(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	host, ok := s.conns[c]
	if !ok {
		return
	}
	delete(s.conns, c)
	if s.byHost[host]--; s.byHost[host] == 0 {
		delete(s.byHost, host)
	}
}

func (s *connSet) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// closeAll closes every connection and refuses further ones.
func (s *connSet) closeAll() {
	s.mu.Lock()
	s.closed = true
	conns := make([]net.Conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
}

func remoteHost(c net.Conn) string {
	host, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		return c.RemoteAddr().String()
	}
	return host
}

// countedConn leaves its set when it is closed.
type countedConn struct {
	net.Conn
	set  *connSet
	once sync.Once
}

func (c *countedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { c.set.remove(c.Conn) })
	return err
}
