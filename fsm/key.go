package fsm

import "encoding/binary"

// Keys are texts ended by a zero byte, which no name may contain, and big-endian
// numbers: they sort as their parts do, and a part is a prefix.

// The store holds every key for as long as its row: each is allocated once, at its
// size.

const numberSize = 8

func text(s string) []byte { return appendText(make([]byte, 0, len(s)+1), s) }

func appendText(b []byte, s string) []byte { return append(append(b, s...), 0) }

func number(n uint64) []byte { return appendNumber(make([]byte, 0, numberSize), n) }

func appendNumber(b []byte, n uint64) []byte { return binary.BigEndian.AppendUint64(b, n) }

// timeNumber sorts times before 1970 first.
func timeNumber(t Time) uint64 { return uint64(t) ^ 1<<63 }

func timeKey(t Time) []byte { return number(timeNumber(t)) }

func jobKey(k JobKey) []byte { return textsKey(k.Namespace, k.Name, 0) }

// textsKey is two texts, and room for so much more.
func textsKey(a, b string, room int) []byte {
	return appendText(appendText(make([]byte, 0, len(a)+len(b)+2+room), a), b)
}

func versionKey(k JobKey, v uint64) []byte {
	return appendNumber(textsKey(k.Namespace, k.Name, numberSize), v)
}

func cursorKey(k JobKey, schedule int) []byte { return versionKey(k, uint64(schedule)) }

func fireKey(k JobKey, t Time) []byte { return versionKey(k, timeNumber(t)) }

func followKey(namespace, upstream, job string) []byte {
	return appendText(textsKey(namespace, upstream, len(job)+1), job)
}

func taskKey(run, task string) []byte { return textsKey(run, task, 0) }

func shardKey(run, task string, i int) []byte {
	return appendNumber(textsKey(run, task, numberSize), uint64(i))
}

// timed is a key behind an instant.
func timed[K string | []byte](t Time, key K) []byte {
	return append(appendNumber(make([]byte, 0, numberSize+len(key)), timeNumber(t)), key...)
}

// heldKey is a shard's key behind the node that holds it.
func heldKey(node string, shard []byte) []byte {
	return append(appendText(make([]byte, 0, len(node)+1+len(shard)), node), shard...)
}

// entered is the key of a job's row behind the index at which it entered the log.
func entered(k JobKey, index uint64, id string) []byte {
	return append(appendNumber(textsKey(k.Namespace, k.Name, numberSize+len(id)), index), id...)
}
