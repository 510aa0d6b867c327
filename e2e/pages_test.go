//go:build e2e

package e2e

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// namedPage is a path through Label Studio's menus, as hone's messages and documents name one.
var namedPage = regexp.MustCompile(`(Account & Settings|Settings|Organization)((?: > [A-Z][A-Za-z]*(?: [A-Z][A-Za-z]*)*)+)`)

// namedPages finds all paths that hone names to people, each with a file that does.
func namedPages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && name != "." || name == "e2e" || name == "docs/adr" || name == "bench"):
			return fs.SkipDir
		case d.IsDir() || strings.HasSuffix(name, "_test.go") || !slices.Contains([]string{".go", ".md", ".yaml"}, filepath.Ext(name)):
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		for _, path := range namedPage.FindAllString(strings.ReplaceAll(string(text), "*", ""), -1) {
			found[path] = name
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// entry is JavaScript for the entry of a page's menu, or a button, with exactly this text.
func entry(text string) string {
	return `((all) => all.find(e => e.matches('a, button')) ?? all.at(-1)?.closest('a, button') ?? all.at(-1))([...document.querySelectorAll('a, button, li, span, div')].filter(e => e.textContent.trim() === ` + quoted(text) + ` && e.getClientRects().length))`
}

// arrived is JavaScript that says whether a click on an entry has led where it leads: to its
// address, or to a dialog.
func arrived(text string) string {
	return `((e) => e && e.href ? location.href.replace(/\/$/, '') === e.href.replace(/\/$/, '') : !!document.querySelector('[role=dialog], [class*=modal]'))(` + entry(text) + `)`
}

// Whoever follows a fix goes through Label Studio's menus by the names that the fix gives.
func TestSeeNamedPages(t *testing.T) {
	pages := namedPages(t)
	for _, known := range []string{"Settings > Model", "Settings > Labeling Interface", "Account & Settings > Personal Access Token", "Organization > API Tokens Settings"} {
		if pages[known] == "" {
			t.Errorf("hone names %q nowhere: this test does not read what it should", known)
		}
	}
	s := newStudio(t)
	project := s.newProject(`<View><Text name="text" value="$text"/><Choices name="kind" toName="text"><Choice value="A"/><Choice value="B"/></Choices></View>`, nil)
	b := newBrowser(t)
	for _, path := range slices.Sorted(maps.Keys(pages)) {
		t.Run(path, func(t *testing.T) {
			t.Logf("named in %s", pages[path])
			b := b.in(t)
			names := strings.Split(path, " > ")
			switch names[0] {
			case "Settings":
				b.open(fmt.Sprintf("/projects/%d/settings", project))
			case "Account & Settings":
				b.open("/projects")
				const menu = `document.querySelector('[data-testid=userpic]')`
				b.click("the user's menu", menu, `!!`+entry("Account & Settings"))
				b.click("Account & Settings", entry("Account & Settings"), `location.pathname.startsWith('/user/account')`)
			case "Organization":
				b.open("/organization")
			}
			for _, name := range names[1:] {
				b.click(name, entry(name), arrived(name))
			}
			b.shoot("arrived")
		})
	}
}

// What the messages say of the settings that have no page in the community edition.
func TestSeeWhatHasNoPage(t *testing.T) {
	s := newStudio(t)
	project := s.newProject(`<View><Text name="text" value="$text"/><Choices name="kind" toName="text"><Choice value="A"/><Choice value="B"/></Choices></View>`, nil)
	b := newBrowser(t)
	b.open(fmt.Sprintf("/projects/%d/settings", project))
	b.await("uncertainty sampling is there and cannot be chosen", `[...document.querySelectorAll('input[type=radio]')].some(e => e.disabled) && document.body.innerText.includes('Uncertainty sampling')`, nil)
	b.shoot("general")
	b.open(fmt.Sprintf("/projects/%d/settings/annotation", project))
	b.await("the page", `document.body.innerText.includes('Annotation Settings')`, nil)
	if b.look(`/Quality|Annotations per task/.test(document.body.innerText)`, nil) {
		t.Error("there is a page for the overlap: the doctor's fix should name it")
	}
}
