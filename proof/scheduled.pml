/* How a job with `send_after` waits in the broker, and what a request to stop it does meanwhile.

   The way of the call is the protocol's; here are the waits in front of it, time, and an entry that is forgotten
   when nobody has written or renewed it for long. Time goes in ticks, each longer than a call may take and than
   a claim stands. */

#include "common.pml"

hidden byte SEND_AFTER;   /* the tick before which nothing is sent                                         */
hidden byte EXPIRES;      /* the tick from which on nothing is sent; 0: never                              */
#define LONGEST    2      /* ticks in the ladder, up to the next look                                      */
#define RETENTION  5      /* ticks that an entry lives after it was written or renewed                     */
#define LAST       8      /* time ends here, and waits for all that is to be done                          */

hidden byte only_listed_changes, not_early, not_late, nobody_twice, no_call_after_recorded, sent_or_stopped,
  unsent_is_unsent, everyone_told, entry_outlives_wait, nobody_waits_for_ever;

#include "transitions.pml"

mtype:state_name entry = ABSENT;
bit stopped;              /* the mark                                                                      */
byte caller;              /* who claimed the call, counted from 1; 0 once it is dead                       */
bit left;                 /* the call that was claimed has gone out                                        */
byte claimed, written;    /* ticks                                                                         */
byte known;               /* to whom: every write draws a new token                                        */

byte now;
byte work;                /* copies of the job on the work queue                                           */
byte ladder[LAST];        /* and in the ladder, by the tick at which they are back                         */
byte holding;             /* workers that hold one                                                         */
byte away;                /* workers that have lost theirs, and go on                                      */
bit stood;                /* a tick went by meanwhile                                                      */
bit queued_stale;         /* a copy was queued at the last tick                                            */

byte texts;               /* that reached the phone                                                        */
byte said;                /* ends that results told, one bit each                                          */
bit recorded;             /* the answer to the request to stop the job is out                              */
bit waits_on;             /* the job was put off: its id is its own from then on                           */
bit unrenewed;            /* the ledger was away when the entry was to be renewed: it may go too soon      */
bit gone;                 /* the entry was forgotten with nobody left to need it: its time is over         */

#define SENT       1
#define STOPPED    2
#define EXPIRED    4
#define DOUBTED    8

#define in_ladder         (ladder[1] + ladder[2] + ladder[3] + ladder[4] + ladder[5] + ladder[6] + ladder[7])
#define nothing_waits     (work + in_ladder == 0)
#define i_know            (known & (1 << me))
#define my_call           (entry == CALLING && caller == me + 1)
#define to_call           (entry == ABSENT || entry == OPENED || entry == READY)
#define ended             (entry == UNSENT || entry == UNCERTAIN || entry == ACCEPTED)
#define is_over           (EXPIRES > 0 && now >= EXPIRES && !broken(END_UNSEEN))
#define is_early          (now < SEND_AFTER && !(waited && broken(LADDER_TRUSTED)))
#define may_leave         (entry == CALLING && !left && claimed == now && caller > 0)

mtype:step_name = {
  IDLE, LOOK, DO_OPEN, RENEW, PUT_OFF, END, DO_CLAIM, CALL, REPLIED, REPLY_LOST, TAKE_BACK, WAIT, PUBLISH, ACK,
  GIVE_BACK
};

inline write(_change, _after, _calls, _revision) {
  change = _change; before = entry; after = _after; more_calls = _calls + 1; new_revision = _revision;
  entry = _after; known = 1 << me; written = now
}

inline let_go() { holding = holding & ~(1 << me) }
inline give_back() { if :: mine -> work++; mine = 0; let_go() :: else fi }
inline go_idle() {
  let_go();
  away = away & ~(1 << me);
  known = known & ~(1 << me);
  mine = 0; late = 0; told = 0; waited = 0; busy--; step = IDLE
}
inline go_publish() {
  if
  :: entry == ACCEPTED -> told = SENT
  :: entry == UNCERTAIN -> told = DOUBTED
  :: entry == UNSENT && stopped -> told = STOPPED
  :: else -> told = EXPIRED
  fi;
  step = PUBLISH
}
inline result_is_published() {
  said = said | told;
  promise(unsent_is_unsent, told == SENT || told == DOUBTED || texts == 0);
  promise(sent_or_stopped, said == SENT || said == STOPPED || said == EXPIRED || said == DOUBTED
    || said == (SENT | DOUBTED))
}
inline copy_is_in_the_ladder() {
  if
  :: broken(WAITS_AT_ONCE) || SEND_AFTER - now <= LONGEST -> ladder[SEND_AFTER]++
  :: else -> ladder[now + LONGEST]++
  fi;
  waits_on = 1
}
inline entry_is_there() {
  promise(entry_outlives_wait, entry != ABSENT || !waits_on || unrenewed || nothing_waits && holding == 0)
}

proctype worker(byte me) {
  mtype:step_name step = IDLE;
  bit mine;               /* the delivery is still this worker's; it cannot know                           */
  bit late;               /* the reply came after another worker had taken the call over                   */
  bit waited;             /* the delivery comes from the ladder                                            */
  byte told;

end:
  do
  :: atomic {
    if
    :: step == IDLE && work > 0 -> work--; busy++; mine = 1; holding = holding | (1 << me); step = LOOK;
      if :: waits_on -> waited = 1 :: else fi

    :: step == LOOK ->
      known = known | (1 << me);
      if
      :: to_call && stopped -> step = END
      :: to_call && !stopped && is_early && entry == ABSENT -> step = (broken(UNOPENED) -> RENEW : DO_OPEN)
      :: to_call && !stopped && is_early && entry != ABSENT -> step = RENEW
      :: to_call && !stopped && !is_early && !is_over -> step = DO_CLAIM
      :: to_call && !stopped && !is_early && is_over -> step = END
      :: entry == CALLING -> step = WAIT
      :: ended -> go_publish()
      fi

    :: step == DO_OPEN ->
      if :: i_know -> write(OPEN, OPENED, 0, 0) :: else fi;
      step = LOOK

    :: step == RENEW ->                                         /* whatever its state is by now            */
      if
      :: broken(UNRENEWED) || entry == ABSENT
      :: !broken(UNRENEWED) && entry != ABSENT -> written = now
      :: !broken(UNRENEWED) && fault; unrenewed = 1
      fi;
      if :: broken(WAITS_UNACKED) -> let_go(); mine = 0 :: else fi;
      step = PUT_OFF

    :: step == PUT_OFF && !is_early -> step = GIVE_BACK         /* its time has come meanwhile             */
    :: step == PUT_OFF && is_early ->                           /* a copy, confirmed before the ack        */
      if
      :: copy_is_in_the_ladder(); step = ACK
      :: fault; if :: copy_is_in_the_ladder() :: skip fi; step = GIVE_BACK
      fi

    :: step == END ->
      if
      :: i_know && (entry == ABSENT || entry == OPENED) -> write(SETTLE, UNSENT, 0, 0); go_publish()
      :: i_know && entry == READY -> write(GIVE_UP, UNSENT, 0, 0); go_publish()
      :: else -> step = LOOK
      fi

    :: step == DO_CLAIM ->                                      /* the time is looked at with the claim    */
      if
      :: is_early || is_over -> step = LOOK
      :: else ->
        if
        :: i_know || broken(BLIND_CLAIM) ->
          if
          :: to_call -> write(CLAIM, CALLING, 1, 0)
          :: else -> entry = CALLING; known = 1 << me; written = now
          fi;
          caller = me + 1; claimed = now; left = 0; step = CALL
        :: else -> step = LOOK
        fi
      fi

    :: step == CALL && now != claimed -> step = TAKE_BACK       /* too old to be followed by a call        */
    :: step == CALL && now == claimed ->
      promise(not_early, now >= SEND_AFTER);
      promise(not_late, EXPIRES == 0 || now < EXPIRES);
      promise(no_call_after_recorded, !recorded);
      if :: my_call -> left = 1 :: else fi;
      if
      :: texts++; step = REPLIED
      :: fault; texts++; step = REPLY_LOST
      :: fault; step = REPLY_LOST
      :: fault; step = TAKE_BACK                                /* certainly not sent                      */
      fi;
      promise(nobody_twice, texts <= 1)

    :: step == REPLIED ->
      if
      :: my_call -> write(RECORD, ACCEPTED, 0, 0); go_publish()
      :: !my_call && entry == UNCERTAIN -> late = 1; write(REVISE, ACCEPTED, 0, 1); go_publish()
      fi

    :: step == REPLY_LOST ->
      if :: my_call -> write(DOUBT, UNCERTAIN, 0, 0); go_publish() :: else -> step = LOOK fi

    :: step == TAKE_BACK ->
      if :: my_call -> write(RELEASE, READY, -1, 0); caller = 0 :: else fi;
      if :: step = LOOK :: step = GIVE_BACK fi

    :: step == WAIT && !i_know -> step = LOOK
    :: step == WAIT && i_know && (caller == 0 || now > claimed) -> write(DOUBT, UNCERTAIN, 0, 0); go_publish()

    :: step == PUBLISH ->
      if
      :: result_is_published(); step = ACK
      :: fault;
        if :: result_is_published() :: skip fi;
        if :: late :: else -> step = GIVE_BACK fi
      fi

    :: step == ACK -> go_idle()
    :: step == GIVE_BACK -> give_back(); go_idle()

    :: step != IDLE && fault;                                   /* it dies                                 */
      give_back();
      if :: my_call -> caller = 0 :: else fi;
      go_idle()
    :: mine && fault; give_back(); away = away | (1 << me)      /* it loses the broker, or stands still    */
    fi;

    if :: change > 0 -> listed() :: else fi;
    if
    :: busy == 0 && nothing_waits -> promise(everyone_told, said > 0)
    :: else
    fi
  }
  od
}

proctype canceller(byte me) {
  atomic {                                                      /* in front of the job, or behind it       */
    if
    :: ended || gone -> goto too_late
    :: else
    fi;
    if
    :: entry == ABSENT -> write(OPEN, OPENED, 0, 0)
    :: else -> written = now
    fi;
    stopped = 1; known = 0;
    if :: change > 0 -> listed() :: else fi
  }
  atomic { !may_leave || broken(ANSWERED_EARLY) -> recorded = 1 }
too_late: skip
}

/* Time goes on while no delivery is queued for longer than a tick, none is held but by a worker that stands still
   (the broker misses that one), and no more than one tick while somebody stands still: an entry lives for days. */
#define may_tick  (now < LAST && holding == 0 && !(away > 0 && stood) && !(work > 0 && queued_stale) && (now == 0 || ladder[now] == 0))

proctype world() {
end:
  do
  :: atomic { may_tick ->
      now++; stood = stood || away > 0; queued_stale = work > 0;
      if
      :: entry != ABSENT && now - written >= RETENTION ->
        entry = ABSENT; stopped = 0; known = 0; caller = 0; left = 0; claimed = 0; written = 0;
        if :: nothing_waits && holding == 0 -> gone = 1 :: else fi
      :: else
      fi;
      entry_is_there() }
  :: atomic { now > 0 && now < LAST && ladder[now] > 0 -> ladder[now]--; work++; entry_is_there() }
  :: atomic { !gone && now - written < RETENTION / 2 && fault; work++ }   /* the job is published again    */
  :: atomic { timeout -> promise(nobody_waits_for_ever, busy == 0 && nothing_waits) }
  od
}

init {
  byte number;
  atomic {
    begins();
    c_code { SEND_AFTER = given("SEND_AFTER"); EXPIRES = given("EXPIRES"); };
    work = 1;
    do :: number < WORKERS -> run worker(number); number++ :: else -> break od;
    if :: CANCELS -> run canceller(7) :: else fi;
    run world()
  }
}

#ifdef LIVENESS
ltl every_job_ends { <>[] (busy == 0 && nothing_waits) }
#endif
