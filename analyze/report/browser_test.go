//go:build !js

package report

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/closecap/closecap/analyze"
)

// newBrowser starts a headless Chromium, or skips the test where there is none.
func newBrowser(t *testing.T) context.Context {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		if os.Getenv("CLOSECAP_NO_SKIP") == "1" {
			t.Fatal("no Chromium here: apt-get install chromium")
		}
		t.Skip("no Chromium here, nothing of the page is tested: apt-get install chromium")
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()), chromedp.NoFirstRun, chromedp.NoSandbox,
		chromedp.Headless, chromedp.DisableGPU, chromedp.WindowSize(1280, 900), chromedp.WSURLReadTimeout(time.Minute),
	}
	for _, flag := range []string{"disable-background-networking", "disable-component-update", "disable-sync",
		"disable-quic", "no-default-browser-check", "disable-dev-shm-usage"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return ctx
}

// patience is how long the browser may take over one step.
const patience = 30 * time.Second

// tab is a page in the browser, with what it complained about.
type tab struct {
	t        *testing.T
	ctx      context.Context
	mu       sync.Mutex
	problems []string
}

// openPage writes r as a page and opens it from the disk.
func openPage(t *testing.T, browser context.Context, r *analyze.Result) *tab {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, HTML, r, Options{}); err != nil {
		t.Fatal(err)
	}
	return openText(t, browser, b.Bytes())
}

func openText(t *testing.T, browser context.Context, text []byte) *tab {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, stop := chromedp.NewContext(browser)
	t.Cleanup(stop)
	tab := &tab{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, tab.listen); err != nil {
		t.Fatalf("browser: %v", err)
	}
	tab.run(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, cdplog.Enable, cdp.Empty{})
		return err
	}), chromedp.Navigate("file://"+path))
	t.Cleanup(tab.checkProblems)
	return tab
}

// listen keeps what a page must never cause: errors, policy violations, dialogs, requests.
func (b *tab) listen(event any) {
	problem := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		problem = "exception: " + e.ExceptionDetails.Text
	case *runtime.EventConsoleAPICalled:
		problem = fmt.Sprintf("console.%s", e.Type)
	case *cdplog.EventEntryAdded:
		problem = fmt.Sprintf("log: %s %s", e.Entry.Level, e.Entry.Text)
	case *cdppage.EventJavascriptDialogOpening:
		problem = "dialog: " + e.Message
	}
	if problem == "" {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = append(b.problems, problem)
}

func (b *tab) checkProblems() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.problems[:min(3, len(b.problems))] {
		b.t.Errorf("the page caused %s", p)
	}
}

func (b *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, stop := context.WithTimeout(b.ctx, patience)
	defer stop()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("browser: %v", err)
	}
}

// eval returns the value of a JavaScript expression.
func eval[T any](b *tab, js string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("evaluate %s: %v", js, err)
	}
	return v
}

// hover moves the pointer onto an element.
func (b *tab) hover(selector string) {
	b.t.Helper()
	at := eval[[]float64](b, fmt.Sprintf(`(() => {
		const el = document.querySelector(%q);
		el.scrollIntoView({block: "center"});
		const r = el.getBoundingClientRect();
		return [r.x + r.width / 2, r.y + r.height / 2];
	})()`, selector))
	b.run(chromedp.MouseEvent(chromedp.MouseMoved, at[0], at[1]))
}

// lit returns the keys of what is lit in a part of the page, in order and once each.
func (b *tab) lit(part string) string {
	b.t.Helper()
	keys := eval[[]string](b, fmt.Sprintf(`[...document.querySelectorAll(%q)].filter((e) => e.classList.contains("lit"))
		.map((e) => e.dataset.call ? "call " + e.dataset.call : "frame " + e.dataset.frame)`, part))
	slices.Sort(keys)
	return strings.Join(slices.Compact(keys), ", ")
}

const (
	inPicture = ".wide-picture .row"
	inTable   = ".rows tr, .rows .event"
)

func TestPage(t *testing.T) {
	browser := newBrowser(t)
	for name, test := range map[string]func(*testing.T, context.Context){
		"hover": hoverLightsUp, "keyboard": keysMove, "dark": darkIsDark, "spacing": timeToScale,
		"copy": rowsCopyAsText, "hostile": hostileStaysText, "hostile list": hostileListStaysText,
		"many": manyStayFluid, "phone": phoneHasNoSidewaysScroll,
		"comparison": scenariosBesideEachOther,
	} {
		t.Run(name, func(t *testing.T) { test(t, browser) })
	}
}

func hoverLightsUp(t *testing.T, browser context.Context) {
	b := openPage(t, browser, halfClosed())
	for _, test := range []struct{ on, picture, table string }{
		{`.wide-picture .row[data-call="11"]`, "call 11, call 13, frame 12", "call 11, call 13, frame 12"},
		{`.rows tr[data-call="11"] td`, "call 11, call 13, frame 12", "call 11, call 13, frame 12"},
		{`.wide-picture .row[data-frame="12"]`, "call 11, call 13, frame 12", "call 11, call 13, frame 12"},
		{`.rows .event[data-frame="15"]`, "call 14, call 17, frame 15", "call 14, call 17, frame 15"},
		{`.wide-picture .row[data-call="17"]`, "call 17, frame 15", "call 17, frame 15"},
		{`.wide-picture .row[data-call="2"]`, "call 2, frame 3, frame 4, frame 5", "call 2, frame 3, frame 4, frame 5"},
		{`h1`, "", ""},
	} {
		b.hover(test.on)
		if got := b.lit(inPicture); got != test.picture {
			t.Errorf("pointer on %s: lit in the picture: %s, want %s", test.on, got, test.picture)
		}
		if got := b.lit(inTable); got != test.table {
			t.Errorf("pointer on %s: lit in the table: %s, want %s", test.on, got, test.table)
		}
	}
	b.hover(`.wide-picture .row[data-call="11"]`)
	want := "caused frame 12 · which made #13 return"
	if got := eval[string](b, `document.getElementById("status").textContent`); !strings.Contains(got, want) {
		t.Errorf("status = %q, want %q in it", got, want)
	}
}

// focused names the element that has the focus.
const focused = `(() => {
	const e = document.activeElement, d = e.dataset;
	return e.tagName.toLowerCase() + " " + (d.call ? "call " + d.call : d.frame ? "frame " + d.frame : d.id ? "conn " + d.id : e.value ?? "");
})()`

func keysMove(t *testing.T, browser context.Context) {
	b := openPage(t, browser, halfClosed())
	for i, step := range []struct{ key, focused, lit string }{
		{kb.Tab, "input even", ""},
		{kb.Tab, "g call 1", "call 1"},
		{kb.ArrowDown, "g call 2", "call 2, frame 3, frame 4, frame 5"},
		{kb.ArrowDown, "g frame 3", "call 2, frame 3"},
		{kb.ArrowUp, "g call 2", "call 2, frame 3, frame 4, frame 5"},
		{kb.Tab, "tr call 1", "call 1"},
		{kb.End, "tr call 21", "call 21"},
		{kb.ArrowUp, "tr call 18", "call 18, frame 19, frame 20"},
		{kb.Home, "tr call 1", "call 1"},
		{kb.Escape, "tr call 1", ""},
	} {
		b.run(chromedp.KeyEvent(step.key))
		if got := eval[string](b, focused); got != step.focused {
			t.Fatalf("key %d: focus on %q, want %q", i, got, step.focused)
		}
		if got := b.lit(inPicture); got != step.lit {
			t.Errorf("key %d: lit %s, want %s", i, got, step.lit)
		}
	}
}

// prefer makes the browser ask for a colour scheme.
func (b *tab) prefer(scheme string) {
	b.t.Helper()
	b.run(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return err
	}))
}

// contrast is the WCAG contrast of an element's text with what lies behind it.
const contrast = `(selector) => {
	const parse = (c) => c.match(/[\d.]+/g).map(Number);
	const light = (c) => { const [r, g, b] = parse(c).slice(0, 3).map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const el = document.querySelector(selector), style = getComputedStyle(el);
	let behind = el;
	while (behind && (parse(getComputedStyle(behind).backgroundColor)[3] ?? 1) === 0) behind = behind.parentElement;
	const a = light(el instanceof SVGElement ? style.fill : style.color), b = light(getComputedStyle(behind).backgroundColor);
	return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}`

func darkIsDark(t *testing.T, browser context.Context) {
	b := openPage(t, browser, sentAfterClose())
	backs := map[string]bool{}
	for _, scheme := range []string{"light", "dark"} {
		b.prefer(scheme)
		backs[eval[string](b, `getComputedStyle(document.body).backgroundColor`)] = true
		for _, selector := range []string{"h1", ".facts", ".verdict", ".rows td", ".state.active", ".state.passive", ".event.rst",
			".ladder .time", ".ladder .fin .words", ".ladder .rst .words", ".ladder .state.active", ".ladder .state.passive", ".ladder .state.open"} {
			if got := eval[float64](b, fmt.Sprintf("(%s)(%q)", contrast, selector)); got < 4.4 {
				t.Errorf("%s: contrast of %s = %.1f, want 4.5", scheme, selector, got)
			}
		}
	}
	if len(backs) != 2 {
		t.Errorf("background in light and dark = %v, want two colours", backs)
	}
}

func timeToScale(t *testing.T, browser context.Context) {
	b := openPage(t, browser, lostFin())
	gaps := `(() => {
		const top = (f) => document.querySelector('.wide-picture .row[data-frame="' + f + '"] .hit').getBoundingClientRect().y;
		return [top(3) - top(2), top(6) - top(5)];
	})()`
	even := eval[[]float64](b, gaps)
	b.run(chromedp.Click(chromedp.CSS(`input[value="scaled"]`)))
	scaled := eval[[]float64](b, gaps)
	if even[1] > 3*even[0] || scaled[1] < 8*scaled[0] {
		t.Errorf("6 µs and 206 ms are %v pixels apart with even spacing, %v to scale", even, scaled)
	}
	apart := eval[float64](b, `(() => {
		const life = document.querySelector('.wide-picture .life[data-side="client"]').getBoundingClientRect();
		const rows = [...document.querySelectorAll('.wide-picture .row')];
		return life.bottom - rows[rows.length - 1].getBoundingClientRect().y;
	})()`)
	if apart < 0 {
		t.Errorf("the lifeline ends %v pixels before the last row", -apart)
	}
}

func rowsCopyAsText(t *testing.T, browser context.Context) {
	b := openPage(t, browser, halfClosed())
	const copied = `(() => {
		const e = new ClipboardEvent("copy", {clipboardData: new DataTransfer(), bubbles: true, cancelable: true});
		document.activeElement.dispatchEvent(e);
		return [...e.clipboardData.types].join() + ": " + e.clipboardData.getData("text/plain");
	})()`
	b.run(chromedp.Focus(chromedp.CSS(`.rows tr[data-call="1"]`)))
	for range 5 {
		b.run(chromedp.KeyEvent(kb.ArrowDown))
	}
	want := "text/plain: 11\t0.390\tclient shutdown(SHUT_WR)\t0\t12 → FIN,ACK 13:13 (its ACK rides on frame 15)\tFIN_WAIT1\tCLOSE_WAIT"
	if got := eval[string](b, copied); got != want {
		t.Errorf("copied %q, want %q", got, want)
	}
	both := eval[string](b, `(() => {
		const row = (id) => document.querySelector('.rows tr[data-call="' + id + '"]');
		getSelection().setBaseAndExtent(row(10), 0, row(11), row(11).childNodes.length);
		return `+copied+`;
	})()`)
	if lines := strings.Split(both, "\n"); len(lines) != 2 || !strings.HasPrefix(lines[1], "11\t") {
		t.Errorf("copied two rows as %q", both)
	}
}

func phoneHasNoSidewaysScroll(t *testing.T, browser context.Context) {
	var comparison bytes.Buffer
	if err := WriteComparison(&comparison, HTML, comparisonFixture(), false, Options{}); err != nil {
		t.Fatal(err)
	}
	for _, b := range []*tab{openPage(t, browser, halfClosed()), openPage(t, browser, manyConnections(200)), openText(t, browser, comparison.Bytes())} {
		b.run(chromedp.EmulateViewport(390, 844))
		if got := eval[float64](b, `document.documentElement.scrollWidth`); got > 390 {
			t.Errorf("on 390 pixels the page is %v wide", got)
		}
		if got := eval[float64](b, `Math.max(0, ...[...document.querySelectorAll(".rows td")].map(e => e.getBoundingClientRect().right))`); got > 390 {
			t.Errorf("on 390 pixels a cell ends at %v", got)
		}
	}
}
