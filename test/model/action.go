package model

import (
	"fmt"
	"strings"
)

// Kind is what a step does.
type Kind uint8

// Kinds of steps, by who takes them.
const (
	tick Kind = iota
	partition
	heal
	agentCrash
	agentRestart
	agentRestartReport
	listenerCloses
	agentExits
	supervisorDies
	supervisorRestarts
	powerCut
	freeze
	thaw
	elect
	unseat
	stepDown
	seeClose
	reset
	probeRefused
	reconnect
	beatSend
	beatAnswer
	beatDeliver
	register
	applyLog
	takeReport
	exitWell
	exitFail
	check
	checkStale
	fork
	fenceKill
	killSuperseded
	killCancelled
	decideStart
	tellSupervisor
	decideSkip
	decideMissed
	decideNever
	decideLost
	report
	arm
	rearm
	armLate
	commitUnplaced
	miss
	skip
	decideMove
	decideLose
	leaderDecides
	enterProposal
	replaceRuns
	answerPause
	pauseJob
	manualRun
	drainNode
	applyVersion
	deleteJob
	kindCount
)

// kindInfo says of a kind whether it is something that need not happen, how soon
// it happens once all goes well (first things first), and how a trace tells it.
type kindInfo struct {
	fault    bool
	priority int
	text     string
}

const (
	normal = false
	fault  = true
)

// kinds: {node}, {run} and {n} stand for the arguments of a step.
var kinds = [kindCount]kindInfo{
	tick:               {normal, 9, ""},
	partition:          {fault, 0, "NETWORK: {cut}"},
	heal:               {normal, 0, "network heals"},
	agentCrash:         {fault, 0, "AGENT {node} CRASHES"},
	agentRestart:       {normal, 1, "agent {node} restarts"},
	agentRestartReport: {normal, 0, "agent {node} restarts; a report of its last life is still under way"},
	listenerCloses:     {fault, 0, "AGENT {node} SHUTS DOWN: its listener closes"},
	agentExits:         {normal, 0, "agent {node} exits"},
	supervisorDies:     {fault, 0, "SUPERVISOR {node} DIES"},
	supervisorRestarts: {normal, 0, "supervisor {node} restarts"},
	powerCut:           {fault, 0, "HOST {node} LOSES ITS POWER"},
	freeze:             {fault, 0, "HOST {node} FREEZES"},
	thaw:               {normal, 0, "host {node} thaws"},
	elect:              {normal, 0, "{node} is elected"},
	unseat:             {fault, 0, "{node} IS ELECTED although the old leader lives"},
	stepDown:           {normal, 0, "{node} learns that it leads no more"},
	seeClose:           {normal, 2, "{other} sees its connection to {node} close"},
	reset:              {fault, 0, "CONNECTION of {other} to {node} IS RESET"},
	probeRefused:       {normal, 2, "{other} is refused a connection to {node}"},
	reconnect:          {normal, 2, "{other} is connected to {node} again"},
	beatSend:           {normal, 1, "{node} sends a heartbeat to {other}"},
	beatAnswer:         {normal, 1, "{other} answers the heartbeat of {node}"},
	beatDeliver:        {normal, 1, "{node} has the answer to its heartbeat"},
	register:           {normal, 1, "the log takes note of {node}'s incarnation"},
	applyLog:           {normal, 2, "{node} applies the log"},
	takeReport:         {normal, 3, "the log takes {node}'s report ({entry})"},
	exitWell:           {normal, 8, "{run} on {node} exits well"},
	exitFail:           {fault, 8, "{RUN} ON {node} FAILS"},
	check:              {normal, 4, "supervisor {node} checks the start of {run}"},
	checkStale:         {normal, 4, "supervisor {node} reads what a dead agent wrote about {run}"},
	fork:               {normal, 4, "supervisor {node} forks {run}, if it still may"},
	fenceKill:          {normal, 4, "supervisor {node} kills {run}: no contact"},
	killSuperseded:     {normal, 5, "agent {node} kills {run}: the log has it elsewhere"},
	killCancelled:      {normal, 5, "agent {node} kills {run}: it is cancelled"},
	decideStart:        {normal, 5, "agent {node} decides to start {run}"},
	tellSupervisor:     {normal, 5, "agent {node} hands {run} to its supervisor"},
	decideSkip:         {normal, 6, "agent {node} decides to skip {run}"},
	decideMissed:       {normal, 6, "agent {node} decides that {run} is missed"},
	decideNever:        {normal, 5, "agent {node} decides never to start {run}"},
	decideLost:         {normal, 5, "agent {node} finds no record of {run}: it may have started"},
	report:             {normal, 6, "agent {node} reports {run}: {entry}"},
	arm:                {normal, 7, "leader arms {run} on {node}"},
	rearm:              {normal, 7, "leader arms {run} again, on {node}"},
	armLate:            {fault, 7, "LEADER ARMS {run} on {node}, whose lease has lapsed meanwhile"},
	commitUnplaced:     {normal, 8, "leader commits {run}, on no node"},
	miss:               {normal, 7, "leader: {run} is missed"},
	skip:               {normal, 7, "leader skips {run}, which sits on no node"},
	decideMove:         {normal, 7, "leader decides to move {run} from {node}"},
	decideLose:         {normal, 7, "leader decides that {run} is lost on {node}"},
	leaderDecides:      {fault, 7, "LEADER DECIDES over {run}, which sits on {node}: {entry}"},
	enterProposal:      {normal, 7, "the log takes the leader's decision on {run} ({entry})"},
	replaceRuns:        {normal, 7, "leader makes way for {run}"},
	answerPause:        {normal, 7, "PAUSE IS ANSWERED"},
	pauseJob:           {fault, 7, "PAUSE is asked for"},
	manualRun:          {fault, 7, "A MANUAL RUN is asked for: {run}"},
	drainNode:          {fault, 7, "DRAIN of {node} is asked for"},
	applyVersion:       {fault, 7, "A NEW VERSION is applied"},
	deleteJob:          {fault, 7, "DELETE is asked for"},
}

// none stands where an action has no such argument.
const none = 255

// Action is one step.
type Action struct {
	Kind  Kind
	Node  uint8
	Other uint8 // another node
	Shard uint8
	Entry Entry
	Late  uint8 // added to the priority
}

func (a *Action) fault() bool   { return kinds[a.Kind].fault }
func (a *Action) priority() int { return kinds[a.Kind].priority + int(a.Late) }

// on returns an action of one node.
func on(k Kind, node int) Action { return Action{Kind: k, Node: uint8(node), Other: none, Shard: none} }

// of returns an action on a shard at a node.
func of(k Kind, node, shard int) Action {
	return Action{Kind: k, Node: uint8(node), Other: none, Shard: uint8(shard)}
}

var cutNames = []string{
	"whole", "A IS CUT OFF", "A AND C ARE CUT OFF FROM B AND THE MAJORITY", "NOBODY HEARS A", "A HEARS NOBODY", "C DOES NOT HEAR A",
}

func nodeName(n uint8) string {
	if n >= nodes {
		return "-"
	}
	return string(rune('A' + n))
}

func shardName(shard uint8) string {
	if shard == second {
		return "run 0's second shard"
	}
	return fmt.Sprintf("run %d", shard)
}

// String tells the step in words.
func (a *Action) String() string {
	cut := ""
	if a.Kind == partition {
		cut = cutNames[a.Other]
	}
	return strings.NewReplacer(
		"{node}", nodeName(a.Node), "{other}", nodeName(a.Other), "{cut}", cut,
		"{run}", shardName(a.Shard), "{RUN}", strings.ToUpper(shardName(a.Shard)), "{entry}", a.Entry.String(),
	).Replace(kinds[a.Kind].text)
}
