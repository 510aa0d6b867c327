package connect

import "fmt"

// ForeignError says that a call came from another Label Studio than the one hone works with.
type ForeignError struct {
	// Hostname is what the other one calls itself, Serves where hone's is.
	Hostname, Serves string
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("this hone serves the Label Studio at %s, not the one at %s: %s. If it is the same one and has moved, run `hone login %s`", e.Serves, e.Hostname, oneEach, e.Hostname)
}

// Foreign returns a *ForeignError if a /setup call that names a host is of another Label Studio
// than the one that an earlier /setup call brought; nil otherwise. An address that an
// administrator gave proves nothing here: Label Studio often does not know its own, and the
// time at which a project was made tells two of them apart.
func (l *Link) Foreign(hostname string) error {
	c := l.client.Load()
	if c == nil || hostname == "" || c.credential.Chosen || l.o.URL != "" || sameURL(hostname, c.URL()) {
		return nil
	}
	return &ForeignError{Hostname: hostname, Serves: c.URL()}
}

// ForeignProject returns the error for a project that has the id of one that hone knows, and
// is another.
func (l *Link) ForeignProject(hostname string) error {
	serves := l.o.URL
	if c := l.client.Load(); c != nil {
		serves = c.URL()
	}
	return &ForeignError{Hostname: hostname, Serves: serves}
}
