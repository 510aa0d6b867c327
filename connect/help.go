package connect

import "github.com/hone-ml/hone/labelstudio"

// What hone says to whoever has just installed Label Studio. Release 1.23.2 as it comes
// refuses legacy tokens, and calls no private address as backend or webhook. Each page named
// here exists; the end-to-end test TestSeeNamedPages walks them all.
const (
	// loginHelp is what to do when a token does not work.
	loginHelp = "make a personal access token in Label Studio under Account & Settings > Personal Access Token and give it to hone with `hone login`, or as LABEL_STUDIO_API_KEY"
	// connectionHelp is what to do when hone has no working way to call Label Studio.
	connectionHelp = "run `hone login URL` with Label Studio's address as hone reaches it and a personal access token (made under Account & Settings > Personal Access Token), or set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY and restart hone"
	// blockedHelp is what to do where Label Studio must call hone and as it comes does not.
	blockedHelp = "Label Studio as it comes calls no private address: " + labelstudio.UnblockFix
)
