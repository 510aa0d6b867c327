package event

// Registration is what hone remembers of its registration with a project of Label Studio.
// The zero value is a project of which hone never saw that it was registered.
type Registration struct {
	// URL is hone's address as Label Studio last listed it among the project's ML backends,
	// without user and password.
	URL string `json:"url,omitempty"`
	// CreatedAt is the project's creation time in unix seconds: with another one it is
	// another project under the same id.
	CreatedAt int64 `json:"created_at,omitempty"`
	// HookAwaited is true from when hone is seen to be registered, for the first time or again,
	// until a webhook to it is seen: Label Studio makes one by itself, but may fail to. One
	// that is missing later was deleted by somebody.
	HookAwaited bool `json:"hook_awaited,omitempty"`
	// Sampled is true once hone has switched uncertainty sampling on and seen it on, and
	// Sampling is what the project had before; empty when it was on already.
	Sampled  bool   `json:"sampled,omitempty"`
	Sampling string `json:"sampling,omitempty"`
	// LeftAlone says why hone writes nothing to the project until it is connected again.
	LeftAlone LeftAlone `json:"left_alone,omitempty"`
	// Broken is what was last found broken, as package connect writes it: a hone that starts
	// anew tells nobody again.
	Broken string `json:"broken,omitempty"`
}

// LeftAlone is why hone writes nothing to a project; empty: it writes.
type LeftAlone string

const (
	// BackendDeleted: somebody deleted hone's model in Label Studio.
	BackendDeleted LeftAlone = "backend deleted"
	// Disconnected: somebody asked hone to disconnect.
	Disconnected LeftAlone = "disconnected"
)
