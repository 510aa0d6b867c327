package passage

import (
	"html"
	"strings"
)

// StripHTML is the text of an HTML fragment: no tags, comments, scripts or
// styles; entities decoded; one newline where a block begins or ends, runs of
// white space as one space. Anything can be fed to it; broken markup loses the
// broken part at most.
func StripHTML(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for len(s) > 0 {
		lt := strings.IndexByte(s, '<')
		if lt < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:lt])
		s = s[lt:]
		if strings.HasPrefix(s, "<!--") {
			s = after(s[4:], "-->")
			continue
		}
		name := tagName(s)
		if name == "" {
			// "a < b": not a tag.
			b.WriteByte('<')
			s = s[1:]
			continue
		}
		s = afterTag(s)
		switch bare := strings.TrimPrefix(name, "/"); {
		case name == "script" || name == "style" || name == "head" || name == "template" || name == "noscript":
			s = afterClosing(s, name)
			b.WriteByte(blockMark)
		case blockTags[bare]:
			b.WriteByte(blockMark)
		}
	}
	return collapse(html.UnescapeString(b.String()))
}

// blockMark stands for a line break until white space is collapsed; it is white
// space itself, so that one in the input does no harm.
const blockMark = '\v'

var blockTags = map[string]bool{
	"address": true, "article": true, "aside": true, "blockquote": true, "body": true, "br": true, "dd": true, "div": true,
	"dl": true, "dt": true, "fieldset": true, "figcaption": true, "figure": true, "footer": true, "form": true, "h1": true,
	"h2": true, "h3": true, "h4": true, "h5": true, "h6": true, "header": true, "hr": true, "html": true, "li": true,
	"main": true, "nav": true, "ol": true, "option": true, "p": true, "pre": true, "section": true, "table": true,
	"tbody": true, "td": true, "tfoot": true, "th": true, "thead": true, "title": true, "tr": true, "ul": true,
}

// tagName is the lower-case name of the tag s starts with, with a leading "/"
// for a closing one, "!" or "?" for a declaration, and "" when s starts no tag.
func tagName(s string) string {
	i, prefix := 1, ""
	if i < len(s) && s[i] == '/' {
		prefix, i = "/", 2
	}
	if i < len(s) && prefix == "" && (s[i] == '!' || s[i] == '?') {
		return s[i : i+1]
	}
	start := i
	for i < len(s) && (isLetter(s[i]) || i > start && (s[i] >= '0' && s[i] <= '9' || s[i] == '-' || s[i] == ':')) {
		i++
	}
	if i == start {
		return ""
	}
	return prefix + strings.ToLower(s[start:i])
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// afterTag is what follows the tag s starts with; quotes may hide a ">".
func afterTag(s string) string {
	var quote byte
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case (c == '"' || c == '\'') && s[i-1] == '=':
			quote = c
		case c == '>':
			return s[i+1:]
		}
	}
	return ""
}

func after(s, sep string) string {
	if _, rest, ok := strings.Cut(s, sep); ok {
		return rest
	}
	return ""
}

// afterClosing is what follows </name ...>, or nothing when it never closes.
func afterClosing(s, name string) string {
	for {
		i := strings.Index(s, "</")
		if i < 0 {
			return ""
		}
		s = s[i:]
		if tagName(s) == "/"+name {
			return afterTag(s)
		}
		s = s[2:]
	}
}

// collapse makes every run of white space one space, or one newline when the
// run holds a block mark, and trims both ends.
func collapse(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	space, line := false, false
	for _, r := range s {
		switch r {
		case blockMark:
			line = true
			continue
		case ' ', '\t', '\n', '\r', '\f', '\u00a0':
			space = true
			continue
		}
		if b.Len() > 0 {
			if line {
				b.WriteByte('\n')
			} else if space {
				b.WriteByte(' ')
			}
		}
		space, line = false, false
		b.WriteRune(r)
	}
	return b.String()
}
