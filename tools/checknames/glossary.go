package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

var quotedWord = regexp.MustCompile("`([A-Za-z][A-Za-z0-9]*)`")

// bannedWords reads the tables of a glossary. Where a table's last column is headed
// "not", the words quoted in that column are banned; the result says what to use instead.
// A glossary that bans nothing is an error: then the table's form has changed.
func bannedWords(path string) (map[string]string, error) {
	text, err := os.ReadFile(path) // #nosec G304 -- the module's own glossary
	if err != nil {
		return nil, err
	}
	banned := map[string]string{}
	inTable := false
	for line := range strings.Lines(string(text)) {
		cells := tableCells(line)
		switch {
		case len(cells) < 2:
			inTable = false
		case cells[len(cells)-1] == "not":
			inTable = true
		case inTable:
			for _, m := range quotedWord.FindAllStringSubmatch(cells[len(cells)-1], -1) {
				banned[strings.ToLower(m[1][:1])+m[1][1:]] = "the term is " + cells[0]
			}
		}
	}
	if len(banned) == 0 {
		return nil, fmt.Errorf("%s bans no word: no table in it has a last column headed \"not\"", path)
	}
	return banned, nil
}

// tableCells splits a row of a Markdown table, and returns nil for any other line.
func tableCells(line string) (cells []string) {
	line = strings.TrimSpace(line)
	if len(line) < 2 || line[0] != '|' || line[len(line)-1] != '|' {
		return nil
	}
	for cell := range strings.SplitSeq(line[1:len(line)-1], "|") {
		cells = append(cells, strings.TrimSpace(cell))
	}
	return cells
}
