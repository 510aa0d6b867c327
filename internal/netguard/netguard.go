// Package netguard holds what keeps hone's connections honest: where it may
// connect to when a request named the address, TLS by files, and how many
// connections a server holds.
package netguard
