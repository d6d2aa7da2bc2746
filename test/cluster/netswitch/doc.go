// Package netswitch is a network of machines that are namespaces: a switch in
// user space that carries IPv4 packets between TUN devices, and does to them
// what networks do. For each direction of each pair of addresses it delays,
// varies the delay, loses, reorders, limits the rate, or lets nothing through.
//
// It is for kernels without netem, and for faults that netem does not offer: a
// cut in one direction, or between two of three machines. Since it passes whole
// packets on, TCP behaves as it does on a bad network: it retransmits, backs off
// and times out.
//
// # What it promises
//
//   - A packet is delivered at most once, to the device of its destination, and
//     not before its link's delay has passed.
//   - Packets of a link stay in order, unless its Reorder says otherwise.
//   - A link holds at most maxQueued packets; more are dropped, as a router
//     drops them.
//   - What is cut while packets are under way loses those too.
//   - Whether a packet is lost, and how long it takes, comes from the seed and
//     the order of arrival.
//
// A device that fails, because its namespace is gone, is taken out; the others
// go on. Methods of [Switch] may be called from several goroutines.
package netswitch
