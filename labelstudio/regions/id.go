package regions

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
)

// Label Studio's editor makes a CSS class and a selector of a region's id, and a
// selector ends at the first character that no name may have: the region is then in the
// text without a colour. So ids are of letters, digits, - and _ only, and what has a
// name that people chose stands in them as a hash.

// hashed is how many bytes of a name's hash stand in an id: too many for two names of
// a config to share one, by chance or on purpose.
const hashed = 10

// ID is the id of what hone says of a task with the control of that name. It never
// changes, and no other name has it.
func ID(control string) string { return part("hone", control) }

// ObjectID is the front of the ids of what a control that has several objects says of
// the one of that name; id is the control's.
func ObjectID(id, object string) string { return part(id, object) }

func part(id, name string) string {
	sum := sha256.Sum256([]byte(name))
	return id + "-" + hex.EncodeToString(sum[:hashed])
}

// spanID is the id of a span from and to such places; id is the front of it.
func spanID(id string, from, to int) string {
	return id + "-" + strconv.Itoa(from) + "-" + strconv.Itoa(to)
}

// RenewIDs gives regions that a hone before these ids has suggested the ids of today,
// and leaves all else of them as it is. Ids were hone/CONTROL, for spans followed by
// /OBJECT where there are several, and by /FROM-TO. renewed is nil when nothing has
// such an id; current is whether something has one of today already.
func RenewIDs(result json.RawMessage) (renewed json.RawMessage, current bool) {
	var list []map[string]json.RawMessage
	if json.Unmarshal(result, &list) != nil {
		return nil, false
	}
	found := false
	for _, r := range list {
		var id, control, object string
		if json.Unmarshal(r["id"], &id) != nil || json.Unmarshal(r["from_name"], &control) != nil || json.Unmarshal(r["to_name"], &object) != nil {
			continue
		}
		current = current || strings.HasPrefix(id, ID(control))
		rest, is := strings.CutPrefix(id, "hone/"+control)
		if !is {
			continue
		}
		now := ID(control)
		if place, is := strings.CutPrefix(rest, "/"+object+"/"); is {
			now, rest = ObjectID(now, object), "/"+place
		}
		r["id"], _ = json.Marshal(now + strings.ReplaceAll(rest, "/", "-")) // a string always marshals
		found = true
	}
	if !found {
		return nil, current
	}
	renewed, err := json.Marshal(list)
	if err != nil {
		return nil, current
	}
	return renewed, current
}
