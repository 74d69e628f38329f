package report

import "github.com/closecap/closecap/analyze"

// confidenceSentence says how what the sentence before it claims is known, where that is not plain from the
// packets. Of what is not known there is nothing to say.
func confidenceSentence(c *analyze.Connection) string {
	switch {
	case c.Ending == analyze.UnknownEnding:
		return ""
	case c.Reset != nil && (c.Ending == analyze.WasReset || c.Ending == analyze.WasRefused):
		return causeConfidence(c.Reset)
	case c.Confidence == analyze.Unknown:
		return " The evidence is not sufficient to be sure."
	case c.Confidence == analyze.Inferred && c.Ending == analyze.Graceful && c.Closer == analyze.NoSide:
		return " That both closed is inferred."
	case c.Confidence == analyze.Inferred:
		return " This is inferred."
	}
	return ""
}

func causeConfidence(reset *analyze.Reset) string {
	switch {
	case reset.Cause == analyze.UnknownCause:
		return ""
	case reset.Confidence == analyze.InKernel && reset.Cause == analyze.Aborted:
		return " The kernel says that it aborted."
	case reset.Confidence == analyze.InKernel:
		return " The kernel says so."
	case reset.Confidence == analyze.Inferred && reset.Cause == analyze.Aborted:
		return " That it aborted is inferred."
	case reset.Confidence == analyze.Inferred:
		return " The cause is inferred."
	case reset.Confidence == analyze.Unknown:
		return " The evidence is not sufficient to be sure of the cause."
	}
	return ""
}
