package words

import (
	"bytes"
	"strconv"
	"strings"
)

// maxErrorBody is how much is kept of the body of an answer that is an error.
const maxErrorBody = 1 << 10

// errorText is what a body says of an error beyond its status: the title of a page, else its text, or the first line of
// what is no page. "" where that is nothing, or not for reading.
func errorText(status int, reason string, body []byte) string {
	text := string(bytes.TrimSpace(body))
	if !strings.HasPrefix(text, "<") {
		if text = strings.TrimSpace(firstLine(text)); !plainText([]byte(text)) {
			return ""
		}
		return beyond(status, reason, text)
	}
	if title := beyond(status, reason, titleOf(text)); title != "" {
		return title
	}
	text = beyond(status, reason, visible(text))
	if strings.Count(text, " ") < 2 { // the server's name
		return ""
	}
	return text
}

// titleOf returns the title of a page, "" where there is none.
func titleOf(page string) string {
	const begin, end = "<title>", "</title>"
	from := indexFold(page, begin)
	if from < 0 {
		return ""
	}
	page = page[from+len(begin):]
	to := indexFold(page, end)
	if to < 0 {
		return ""
	}
	return page[:to]
}

// visible returns the text of a page without its tags, its head, and what is no text.
func visible(page string) string {
	var b strings.Builder
	for page != "" {
		text, tag, _ := strings.Cut(page, "<")
		b.WriteString(text)
		b.WriteByte(' ')
		name := tag[:len(tag)-len(strings.TrimLeft(tag, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"))]
		if strings.EqualFold(name, "head") || strings.EqualFold(name, "style") || strings.EqualFold(name, "script") {
			if end := indexFold(tag, "</"+name); end >= 0 {
				tag = tag[end:]
			} else {
				tag = ""
			}
		}
		_, page, _ = strings.Cut(tag, ">")
	}
	return b.String()
}

// indexFold is strings.Index of letters in either case.
func indexFold(s, sub string) int {
	for i := range len(s) - len(sub) + 1 {
		if strings.EqualFold(s[i:i+len(sub)], sub) {
			return i
		}
	}
	return -1
}

// beyond returns text on one line, without the status and its reason at the beginning.
func beyond(status int, reason, text string) string {
	text = strings.Join(strings.Fields(text), " ")
	for _, known := range [...]string{strconv.Itoa(status), reason, ":", "-", reason} {
		if n := len(known); len(text) >= n && strings.EqualFold(text[:n], known) {
			text = strings.TrimSpace(text[n:])
		}
	}
	if !plainText([]byte(text)) {
		return ""
	}
	return clip([]byte(text))
}
