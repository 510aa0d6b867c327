// Package event holds the nouns that flow through hone: ids, the events of the
// log, and what one room hands to the next. It knows neither Label Studio's
// wire format nor where things are stored.
package event
