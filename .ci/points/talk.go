package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// kinds are how connections end by themselves; the server's port says which.
const (
	clientCloses = 8010
	serverCloses = 8011
	upload       = 8012
	serverResets = 8013
	lateData     = 8014
)

// ports are those that the server listens on.
var ports = []int{clientCloses, serverCloses, upload, serverResets, lateData, resetsClient, resetsServer, resetsBoth}

// serve serves all ports of the server's namespace until stop is called.
func (w *world) serve() (stop func(), err error) {
	var listeners []net.Listener
	for _, port := range ports {
		err := within(w.ns("server"), func() error {
			l, err := new(net.ListenConfig).Listen(context.Background(), "tcp4", fmt.Sprintf("10.81.2.2:%d", port))
			if err == nil {
				listeners = append(listeners, l)
				go accept(l.(*net.TCPListener), port)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return func() {
		for _, l := range listeners {
			l.Close()
		}
	}, nil
}

func accept(l *net.TCPListener, port int) {
	for {
		c, err := l.AcceptTCP()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			c.SetDeadline(time.Now().Add(talkTime))
			answer(c, port)
		}()
	}
}

// talkTime is how long a connection may take.
const talkTime = 12 * time.Second

func answer(c *net.TCPConn, port int) {
	request := make([]byte, 400)
	if port == upload {
		request = make([]byte, 50_000)
	}
	if _, err := io.ReadFull(c, request); err != nil {
		return
	}
	switch port {
	case serverResets:
		c.SetLinger(0)
		return
	case serverCloses:
		c.Write(make([]byte, 3000))
		return
	case lateData:
		c.Write(make([]byte, 500))
		return
	}
	for range 6 {
		if _, err := c.Write(make([]byte, 700)); err != nil {
			return
		}
		if _, err := io.ReadFull(c, request[:100]); err != nil {
			return
		}
	}
	io.Copy(io.Discard, c)
}

// talk makes n connections from the client's namespace, some at a time.
func (w *world) talk(n int) error {
	var group sync.WaitGroup
	var mu sync.Mutex
	var failed error
	slots := make(chan struct{}, 12)
	for i := range n {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			err := w.connection(ports[i%len(ports)])
			mu.Lock()
			failed = firstError(failed, err)
			mu.Unlock()
		})
	}
	group.Wait()
	return failed
}

// connection makes one; that it ends badly is what it is for.
func (w *world) connection(port int) error {
	var c *net.TCPConn
	err := within(w.ns("client"), func() error {
		d := net.Dialer{Timeout: talkTime}
		got, err := d.Dial("tcp4", fmt.Sprintf("10.81.2.2:%d", port))
		if err == nil {
			c = got.(*net.TCPConn)
		}
		return err
	})
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return nil
	}
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(talkTime))
	size := 400
	if port == upload {
		size = 50_000
	}
	if _, err := c.Write(make([]byte, size)); err != nil {
		return nil
	}
	b := make([]byte, 4096)
	switch port {
	case serverResets, serverCloses:
		io.Copy(io.Discard, c)
		return nil
	case lateData:
		io.Copy(io.Discard, c)
		c.Write(b[:200])
		time.Sleep(50 * time.Millisecond)
		return nil
	}
	for range 6 {
		if _, err := io.ReadFull(c, b[:700]); err != nil {
			return nil
		}
		if _, err := c.Write(b[:100]); err != nil {
			return nil
		}
	}
	return nil
}
