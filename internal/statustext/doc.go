// Package statustext prints what the API says of projects, for people at a terminal. Whatever of it
// came from Label Studio is printed without line breaks and control characters.
package statustext
