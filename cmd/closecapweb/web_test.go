//go:build web && !js

// The page in a browser, as make webtest builds it.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// openPage opens the page from the disk; asked returns what it asked the network for since.
func openPage(t *testing.T) (ctx context.Context, asked func() []string) {
	t.Helper()
	page, err := filepath.Abs(os.Getenv("CLOSECAP_PAGE"))
	if _, statErr := os.Stat(page); err != nil || statErr != nil {
		t.Fatalf("no page: make webtest makes it (CLOSECAP_PAGE): %v", statErr)
	}
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("no Chromium: apt-get install chromium")
	}
	ctx, stop := chromedp.NewExecAllocator(context.Background(), chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()),
		chromedp.NoFirstRun, chromedp.NoSandbox, chromedp.Headless, chromedp.DisableGPU, chromedp.WSURLReadTimeout(time.Minute))
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	ctx, stop = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(stop)
	var urls []string
	var mu sync.Mutex
	err = chromedp.Listen(ctx, func(e any) {
		if sent, ok := e.(*network.EventRequestWillBeSent); ok {
			mu.Lock()
			defer mu.Unlock()
			urls = append(urls, sent.Request.URL)
		}
	})
	if err == nil {
		err = chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, network.Enable, network.EnableParams{})
			return err
		}), chromedp.Navigate("file://"+page))
	}
	if err != nil {
		t.Fatal(err)
	}
	return ctx, func() []string { mu.Lock(); defer mu.Unlock(); return urls }
}

// eval returns the value of an expression, when its promise is kept.
func eval(t *testing.T, ctx context.Context, expression string) string {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[string](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("evaluate %s: %v", expression, err)
	}
	return v
}

// give gives the page a file and returns what it says in the end.
func give(t *testing.T, ctx context.Context, file string) string {
	t.Helper()
	if err := chromedp.Do(ctx, chromedp.SetUploadFiles("#file", []string{file})); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return eval(t, ctx, `(async () => {
		const status = document.getElementById("status");
		while (!document.getElementById("progress").hidden || status.textContent.startsWith("The capture is read"))
			await new Promise(done => setTimeout(done, 50));
		return status.textContent;
	})()`)
}

func TestPage(t *testing.T) {
	ctx, asked := openPage(t)
	// What the frame is given is kept for the test to look at.
	eval(t, ctx, `var lastPage = ""; { const was = show; show = page => { lastPage = new TextDecoder().decode(page); was(page); }; } ""`)
	sample, err := filepath.Abs("../../pcaps/close.pcapng")
	if err != nil {
		t.Fatal(err)
	}
	if status := give(t, ctx, sample); !strings.Contains(status, "in this page alone") {
		t.Fatalf("close.pcapng: %s", status)
	}
	page := eval(t, ctx, "lastPage")
	for _, want := range []string{"data-after-close", "<svg", "client close()", `<table class="rows calls">`} {
		if !strings.Contains(strings.ReplaceAll(page, "\u00a0", " "), want) {
			t.Errorf("the report of close.pcapng lacks %q", want)
		}
	}
	bad := filepath.Join(t.TempDir(), "bad<b>.pcap")
	if err := os.WriteFile(bad, []byte("no capture at all, but long enough to be looked at"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status := give(t, ctx, bad); !strings.Contains(status, "bad<b>.pcap: ") || strings.Contains(status, "alone") {
		t.Errorf("a file that is no capture: %q", status)
	}
	big := filepath.Join(t.TempDir(), "big.pcap")
	if err := os.WriteFile(big, capture(t, 600, 120), 0o600); err != nil {
		t.Fatal(err)
	}
	status := give(t, ctx, big)
	if !strings.Contains(status, "in this page alone") {
		t.Fatalf("100 MB: %s", status)
	}
	t.Log(status)
	if page := eval(t, ctx, "lastPage"); !strings.Contains(page, "600 connections") || !strings.Contains(page, `class="connections"`) {
		t.Errorf("the report of 600 connections is no list of them")
	}
	for _, url := range asked() {
		if !strings.HasPrefix(url, "file://") && !strings.HasPrefix(url, "blob:") && !strings.HasPrefix(url, "data:") {
			t.Errorf("the page asked for %s", url)
		}
	}
}

// capture makes a capture of connections with so many segments of 1,400 bytes each, closed by FINs.
func capture(t *testing.T, connections, segments int) []byte {
	t.Helper()
	var out bytes.Buffer
	out.Write([]byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0})
	at := time.Unix(1_700_000_000, 0)
	send := func(tcp *layers.TCP, toServer bool, payload []byte) {
		ip := &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: net.IP{10, 0, 0, 1}, DstIP: net.IP{10, 0, 0, 2}}
		if !toServer {
			ip.SrcIP, ip.DstIP = ip.DstIP, ip.SrcIP
			tcp.SrcPort, tcp.DstPort = tcp.DstPort, tcp.SrcPort
		}
		tcp.Window = 65535
		if err := tcp.SetNetworkLayerForChecksum(ip); err != nil {
			t.Fatal(err)
		}
		b := gopacket.NewSerializeBuffer()
		eth := &layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, EthernetType: layers.EthernetTypeIPv4}
		if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, eth, ip, tcp, gopacket.Payload(payload)); err != nil {
			t.Fatal(err)
		}
		at = at.Add(20 * time.Microsecond)
		head := make([]byte, 16)
		binary.LittleEndian.PutUint32(head, uint32(at.Unix()))
		binary.LittleEndian.PutUint32(head[4:], uint32(at.Nanosecond()/1000))
		binary.LittleEndian.PutUint32(head[8:], uint32(len(b.Bytes())))
		binary.LittleEndian.PutUint32(head[12:], uint32(len(b.Bytes())))
		out.Write(head)
		out.Write(b.Bytes())
	}
	data := bytes.Repeat([]byte("x"), 1400)
	for i := range connections {
		segment := func() *layers.TCP { return &layers.TCP{SrcPort: layers.TCPPort(20000 + i), DstPort: 80} }
		syn := segment()
		syn.SYN, syn.Seq = true, 100
		send(syn, true, nil)
		answer := segment()
		answer.SYN, answer.ACK, answer.Seq, answer.Ack = true, true, 500, 101
		send(answer, false, nil)
		seq := uint32(101)
		for range segments {
			s := segment()
			s.ACK, s.Seq, s.Ack = true, seq, 501
			send(s, true, data)
			seq += uint32(len(data))
		}
		for n, toServer := range []bool{true, false, true} {
			s := segment()
			s.ACK, s.FIN = true, n < 2
			s.Seq, s.Ack = seq, 501
			if !toServer {
				s.Seq, s.Ack = 501, seq+1
			}
			if n == 2 {
				s.Seq, s.Ack = seq+1, 502
			}
			send(s, toServer, nil)
		}
	}
	return out.Bytes()
}
