"""The core: mailboxes, futures, threads, cancellation, the supervisor. It knows Pykka, and nothing of models.

Rooms, each of which imports only from those above it (a test holds that, imports for type checkers included):

- ``clock``, ``crash``, ``checks``: the ground: the moment, what is kept of an error, checks of our own rules.
- ``waiting``: one wait, who waits for whom, what ends it.
- ``records``: plain data that crosses between a pool and its agents.
- ``process``: what a process has once (the fork mark, signals held off, the exit hook, the event loop), and threads.
- ``messaging``: mailboxes, dead letters, the router.
- ``actors``: the long-lived actor, and all of Pykka.
- ``scheduling``: decisions, from plain data, under one lock, the *turn*. It starts, wakes and calls nothing.
- ``supervision``: deeds, outside the turn. ``Supervisor`` puts a pool together.

Read in this order: ``scheduling.turn``, ``scheduling.roster``, ``scheduling.agent_cell``, ``supervision.runner``,
``supervision.supervisor``.

Threads: workers of a pool's crew run agents, tool calls and slow callbacks; a pool's timer thread and its event
delivery are started when they are needed; a long-lived actor has a thread of the process's crew; async code has the
private event loop. Locks, in the order in which a thread takes them: signals held off (main thread), then the turn,
then any one leaf (router, mailbox, token, future, event delivery, crew, dead letters). No leaf takes the turn.

``docs/architecture.md`` has the whole map: threads, locks, states, and the trips of a spawn, a message, a cancel and a
tool call.
"""
