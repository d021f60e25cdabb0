package main

import (
	"net"
	"sync"
	"time"
)

// distantListener makes its clients be a round trip away: what is written to them, TLS handshakes included, arrives so
// much later. The handshake of TCP is the kernel's and takes no time.
type distantListener struct {
	net.Listener
	roundTrip time.Duration
}

func (l distantListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil || l.roundTrip == 0 {
		return conn, err
	}
	distant := &distantConn{Conn: conn, roundTrip: l.roundTrip, queue: make(chan delayedWrite, maxQueuedWrites), closing: make(chan struct{})}
	go distant.deliver()
	return distant, nil
}

// More than a connection ever has on its way; then writing waits, as it does when a socket's buffer is full.
const maxQueuedWrites = 1024

type delayedWrite struct {
	data []byte
	due  time.Time
}

type distantConn struct {
	net.Conn
	roundTrip time.Duration
	queue     chan delayedWrite
	closing   chan struct{}
	closeOnce sync.Once
}

func (c *distantConn) Write(data []byte) (int, error) {
	select {
	case <-c.closing:
		return 0, net.ErrClosed
	case c.queue <- delayedWrite{append([]byte(nil), data...), time.Now().Add(c.roundTrip)}:
		return len(data), nil
	}
}

// deliver writes what is due, in order, and closes the connection when all of it is written.
func (c *distantConn) deliver() {
	defer c.Conn.Close()
	for {
		select {
		case write := <-c.queue:
			c.send(write)
		case <-c.closing:
			for {
				select {
				case write := <-c.queue:
					c.send(write)
				default:
					return
				}
			}
		}
	}
}

func (c *distantConn) send(write delayedWrite) {
	time.Sleep(time.Until(write.due))
	c.Conn.Write(write.data)
}

func (c *distantConn) Close() error {
	c.closeOnce.Do(func() { close(c.closing) })
	return nil
}
