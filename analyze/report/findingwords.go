package report

import (
	"fmt"
	"slices"
	"time"

	"github.com/closecap/closecap/analyze"
)

// findings writes what is worth a look, each with the command that shows it; nothing where there is nothing.
func (p *printer) findings(all []analyze.Finding) error {
	if len(all) == 0 {
		return nil
	}
	if err := p.title("worth a look"); err != nil {
		return err
	}
	shown, more := shownFindings(all)
	for _, f := range shown {
		if err := p.print(line{text: string(f.Kind) + ": " + findingWords(f), style: findingStyle(f), hang: 2}); err != nil {
			return err
		}
		if f.Command == "" {
			continue
		}
		if err := p.print(line{text: "  " + Safe(f.Command), style: dim, hang: 4}); err != nil {
			return err
		}
	}
	if more > 0 {
		if err := p.print(line{text: grouped(uint64(more)) + " more of these kinds: --format json lists them all", style: dim, hang: 2}); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(all, func(f analyze.Finding) bool { return f.Missed > 0 }) {
		if err := p.print(line{text: fmt.Sprintf("\"or up to\": past %s at a time, the rarest of a kind were not counted apart", grouped(maxGroups)), style: dim, hang: 2}); err != nil {
			return err
		}
	}
	return p.blank()
}

// shownFindings are the worst of each kind, of resets of each cause, and how many more there are.
func shownFindings(all []analyze.Finding) (shown []*analyze.Finding, more int) {
	type of struct {
		kind  analyze.FindingKind
		cause analyze.ResetCause
	}
	n := map[of]int{}
	for i := range all {
		f := &all[i]
		if n[of{f.Kind, f.Cause}]++; n[of{f.Kind, f.Cause}] > mostShown {
			more++
			continue
		}
		shown = append(shown, f)
	}
	return shown, more
}

func findingStyle(f *analyze.Finding) style {
	switch f.Kind {
	case analyze.FoundAcceptQueue, analyze.FoundPorts, analyze.FoundKeepaliveRace:
		return bad
	}
	return warn
}

// findingWords says what a finding is, but for its kind.
func findingWords(f *analyze.Finding) string {
	at, n := f.Server.String(), findingCount(f)
	switch f.Kind {
	case analyze.FoundAcceptQueue:
		return fmt.Sprintf("%s did not take up %s whose clients had done so: its accept queue seems to be full", at, n)
	case analyze.FoundPorts:
		return fmt.Sprintf("%v towards %s: TIME_WAIT would keep %.0f %% of its %d ports at this rate (%s)", f.Client, at, 100*f.Share, ephemeralPorts, n)
	case analyze.FoundKeepaliveRace:
		return raceWords(f)
	case analyze.FoundResets:
		return resetsWords(f)
	case analyze.FoundAtOnce, analyze.FoundSaid, analyze.FoundCut, analyze.FoundTransfer, analyze.FoundOutstanding, analyze.FoundIdle:
		return saidWords(f)
	case analyze.FoundCloseWait:
		return fmt.Sprintf("%s has not closed %s, though the clients have: the oldest for %s", at, n, span(time.Duration(f.NS)))
	case analyze.FoundFinWait2:
		return fmt.Sprintf("%s has closed %s that the clients have not: the oldest for %s", at, n, span(time.Duration(f.NS)))
	case analyze.FoundStalled:
		who := "applications at both ends"
		if f.By != analyze.NoSide {
			who = "the " + string(f.By) + "'s application"
		}
		return fmt.Sprintf("%s: in %s %s did not read, for up to %s", at, n, who, span(time.Duration(f.NS)))
	}
	return at + ": " + n
}

func findingCount(f *analyze.Finding) string {
	if f.Missed > 0 {
		return fmt.Sprintf("%s or up to %s connections", grouped(f.Connections), grouped(f.Connections+f.Missed))
	}
	return count(f.Connections, "connection")
}

func resetsWords(f *analyze.Finding) string {
	by := "either end"
	if f.By != analyze.NoSide {
		by = "the " + string(f.By)
	}
	if f.Cause == analyze.Middlebox {
		by = "something between, in the name of " + by
	}
	words := fmt.Sprintf("%s: %s%s, by %s of %s", f.Server, Safe(string(f.Cause)), doubt(f.Confidence, f.Cause == analyze.UnknownCause), by, findingCount(f))
	switch {
	case onlyFrom(f):
		words += fmt.Sprintf(", all with %v", f.Client)
	case f.FromClient > 0:
		words += fmt.Sprintf(", %s or more of them with %v", grouped(f.FromClient), f.Client)
	}
	if f.Bytes > 0 {
		words += ", " + count(f.Bytes, "byte") + " lost"
	}
	return words
}

func raceWords(f *analyze.Finding) string {
	closed, sent := f.Idle.Server, f.Idle.Client
	who := "the server closed"
	switch f.By {
	case analyze.Client:
		closed, sent, who = sent, closed, "the client closed"
	case analyze.NoSide:
		who = "one end closed"
	}
	words := fmt.Sprintf("%s: in %s a request met the close of an idle connection: %s after %s without payload, the request came after %s, %s from the FIN",
		f.Server, findingCount(f), who, spans(closed), spans(sent), spans(*f.Margin))
	if late := f.Connections - f.Crossed; late > 0 {
		words += fmt.Sprintf("; in %s the FIN had come in before", grouped(late))
	}
	return words
}

// spans are the times of a range.
func spans(r analyze.Range) string {
	least, most := span(time.Duration(r.Least)), span(time.Duration(r.Most))
	if least == most {
		return least
	}
	return least + " to " + most
}

// idleSentence says what a request met that came for an idle connection.
func idleSentence(c *analyze.Connection) string {
	i := c.IdleClose
	if i == nil {
		return ""
	}
	idle, waited := *i.IdleNS.Of(i.By), *i.IdleNS.Of(i.By.Other())
	words := fmt.Sprintf("The %s had closed after %s without payload; the %s's next request came after %s (frame %d), %s from the FIN", i.By,
		span(time.Duration(idle)), i.By.Other(), span(time.Duration(waited)), i.Request, span(time.Duration(i.MarginNS)))
	if i.Crossed {
		return words + ", and had left before that came in."
	}
	return words + ", which its kernel had acknowledged."
}
