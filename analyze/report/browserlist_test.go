//go:build !js

package report

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/compare"
)

// attack holds what a peer or a program may put into names and payloads.
const attack = "</script><script>window.owned=1</script><img src=x onerror=\"window.owned=2\">" +
	"<svg onload=alert(3)>\x1b[31m\u202egnp.exe\u2066'\"`{{.}}</textarea></title><style>*{display:none}</style>"

// attacked is r with the attack in every string that comes from outside.
func attacked() *analyze.Result {
	r := hostile()
	r.Scenario, r.Capture.Source, r.Tool = attack, attack, attack
	r.Remember, r.Warnings, r.Explains = []string{attack}, []string{attack}, attack
	r.Expectations = []analyze.Expectation{{At: attack, Text: attack, Got: attack}}
	r.Kernel = &analyze.Kernel{Release: attack, Netns: attack}
	c := r.Connections[0]
	c.Why, c.Warnings, c.Reset.Why = []string{attack}, []string{attack}, []string{attack}
	c.Compat.ZeekHistory = attack
	for _, s := range c.Segments {
		s.Notes, s.Ignored, s.Lost = []string{attack}, attack, attack
		s.Root.Timer, s.Root.Why, s.Kind, s.FlagText = attack, attack, analyze.Kind(attack), attack
	}
	for _, call := range r.Calls {
		call.Actor, call.Args, call.Text, call.Note, call.Explain, call.Errno = attack, attack, attack, attack, attack, attack
		call.States = map[analyze.Side]string{analyze.Client: attack, analyze.Server: attack}
	}
	return r
}

// inert checks that nothing of the attack became more than text.
func (b *tab) inert() {
	b.t.Helper()
	if got := eval[string](b, `String(window.owned)`); got != "undefined" {
		b.t.Errorf("window.owned = %s: a script of the attack ran", got)
	}
	const strange = `[...document.querySelectorAll("img, iframe, object, embed, textarea, a, form, link, base")]
		.concat([...document.querySelectorAll("*")].filter((e) => [...e.attributes].some((a) => a.name.startsWith("on"))))
		.concat([...document.querySelectorAll("script")].slice(2)).concat([...document.querySelectorAll("style")].slice(1))
		.map((e) => e.outerHTML.slice(0, 100)).join("\n")`
	if got := eval[string](b, strange); got != "" {
		b.t.Errorf("elements that the page does not have: %s", got)
	}
	for _, text := range []string{eval[string](b, `document.body.innerText`), eval[string](b, `document.title`)} {
		if strings.ContainsAny(text, "\x1b\u202e\u2066") {
			b.t.Errorf("control characters in %q", text)
		}
	}
}

func hostileStaysText(t *testing.T, browser context.Context) {
	b := openPage(t, browser, attacked())
	if got := eval[bool](b, `document.body.innerText.includes('</script><script>window.owned=1</script><img src=x')`); !got {
		t.Error("the attack is not shown as text")
	}
	b.inert()
}

func hostileListStaysText(t *testing.T, browser context.Context) {
	r := attacked()
	bad := r.Connections[0]
	bad.Ending = analyze.Ending(attack)
	bad.Reset.Cause = analyze.ResetCause(attack)
	many := manyConnections(CallsShown + 10)
	r.Connections = append(r.Connections, many.Connections[1:]...)
	b := openPage(t, browser, r)
	b.run(chromedp.Focus(chromedp.CSS(`tr.item`)), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.CSS(`.detail .connection`)))
	b.inert()
}

// openMany opens a page of n connections, and returns how many milliseconds that took.
func openMany(t *testing.T, browser context.Context, n int) (float64, *tab) {
	r, like := manyConnections(n), halfClosed().Connections[0]
	for _, c := range r.Connections {
		c.Segments, c.States = like.Segments, like.States
	}
	var text bytes.Buffer
	if err := Write(&text, HTML, r, Options{}); err != nil {
		t.Fatal(err)
	}
	b := openText(t, browser, text.Bytes())
	return eval[float64](b, `(() => { const n = performance.getEntriesByType("navigation")[0]; return n.loadEventEnd; })()`), b
}

// tenfold is how much longer ten times the connections may take in the browser: were the work to
// grow with their square, it would be a hundred times.
const tenfold = 40

func manyStayFluid(t *testing.T, browser context.Context) {
	const n = 5000
	few, _ := openMany(t, browser, n/10)
	took, b := openMany(t, browser, n)
	t.Logf("%d connections open in %.0f ms, %d in %.0f ms", n/10, few, n, took)
	if took > tenfold*few {
		t.Errorf("%d connections open in %.0f ms, %d in %.0f ms: want at most %d times as long", n/10, few, n, took, tenfold)
	}
	shown := `document.getElementById("shown").textContent`
	if got := eval[string](b, shown); got != "5,000 of 5,000 connections" {
		t.Errorf("shown: %q", got)
	}
	b.run(chromedp.Click(chromedp.CSS(`.choice[data-ending="reset"]`)))
	if got := eval[string](b, shown); got != "625 of 5,000 connections" {
		t.Errorf("of resets shown: %q", got)
	}
	if got := eval[bool](b, `[...document.querySelectorAll("tr.item")].every((r) => r.dataset.ending === "reset")`); !got {
		t.Error("not only resets are shown")
	}
	b.run(chromedp.Click(chromedp.CSS(`.choice[data-ending="reset"]`)), chromedp.Click(chromedp.CSS(`[data-found="0"]`)))
	if got := eval[string](b, shown); got != "625 of 5,000 connections" {
		t.Errorf("of the first finding shown: %q", got)
	}
	b.run(chromedp.Click(chromedp.CSS(`[data-found="0"]`)), chromedp.Click(chromedp.CSS(`th [data-sort="ending"]`)))
	if got := eval[string](b, `document.querySelector("tr.item").dataset.ending`); got != "graceful" {
		t.Errorf("first by ending: %s, want graceful", got)
	}
	b.run(chromedp.Click(chromedp.CSS(`th [data-sort="ending"]`)))
	if got := eval[string](b, `document.querySelector("tr.item").dataset.ending`); got != "reset" {
		t.Errorf("last by ending: %s, want reset", got)
	}
	b.run(chromedp.Click(chromedp.CSS(`th [data-sort="id"]`)), chromedp.SendKeys(chromedp.CSS(`#address`), "192.168.1.11:32769"))
	if got := eval[string](b, shown); got != "1 of 5,000 connections" {
		t.Errorf("of one address shown: %q", got)
	}
	checkOpening(t, b)
}

// checkOpening opens the one connection in the list with the keyboard, and closes it again.
func checkOpening(t *testing.T, b *tab) {
	b.run(chromedp.Focus(chromedp.CSS("tr.item")), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.CSS(".detail .connection")))
	if got := eval[int](b, `document.querySelectorAll('.detail .wide-picture [data-frame]').length`); got != 10 {
		t.Errorf("opened: %d segments in the picture, want 10", got)
	}
	b.hover(`.detail .wide-picture [data-frame="12"]`)
	if got := b.lit(inTable); got != "frame 12" {
		t.Errorf("opened: lit %s, want frame 12", got)
	}
	b.run(chromedp.Focus(chromedp.CSS("tr.item")), chromedp.KeyEvent(kb.Enter))
	if got := eval[int](b, fmt.Sprintf(`document.querySelectorAll(%q).length`, ".detail")); got != 0 {
		t.Errorf("closed: %d details left", got)
	}
}

func scenariosBesideEachOther(t *testing.T, browser context.Context) {
	c := comparisonFixture()
	c.Scenarios[0].Runs[0].Result = sentAfterClose()
	c.Scenarios[1].Runs[0].Name, c.Scenarios[1].Runs[0].Result = compare.ScenarioRun, halfClosed()
	c.Scenarios[2].Name, c.Questions[0].Answers[2].Text, c.Warnings = attack, attack, []string{attack}
	var text bytes.Buffer
	if err := WriteComparison(&text, HTML, c, false, Options{}); err != nil {
		t.Fatal(err)
	}
	b := openText(t, browser, text.Bytes())
	b.inert()
	beside := eval[bool](b, `(() => {
		const [one, two] = [...document.querySelectorAll(".connection")].map((e) => e.getBoundingClientRect());
		return one.right <= two.left && one.top === two.top;
	})()`)
	if !beside {
		t.Error("the two scenarios do not stand beside each other")
	}
	b.hover(`.connection:nth-of-type(2) .narrow-picture .row[data-call="11"]`)
	for part, want := range map[string]string{
		".connection:nth-of-type(1) .narrow-picture .row": "",
		".connection:nth-of-type(2) .narrow-picture .row": "call 11, call 13, frame 12",
	} {
		if got := b.lit(part); got != want {
			t.Errorf("lit in %s: %s, want %s", part, got, want)
		}
	}
	b.run(chromedp.Click(chromedp.CSS(`.connection:nth-of-type(2) input[value="scaled"]`)))
	if got := eval[int](b, `document.querySelectorAll('input[value="even"]:checked').length`); got != 1 {
		t.Errorf("after choosing time to scale in one, %d others are even, want 1", got)
	}
}
