/* How a text is sent once, by workers that may die, freeze or lose the broker at any step.

   README.md explains it in plain words. Each option of a worker's loop is one step and indivisible; between any
   two of them the other workers may do any number of theirs. */

#include "common.pml"

hidden byte REPLAYS;      /* of dead letters, by an operator                                               */
hidden byte MOST;         /* calls for a job that asks for a repeat                                        */
hidden byte PLAIN_JOB;    /* which jobs there are: 1 or 0                                                  */
hidden byte RESEND_JOB;
hidden byte LARGE_JOB;

#include "transitions.pml"

/* Keys: of the three jobs, and of the parts of the large one. It has two recipients and a part for each; a second
   look at the DND list may cut it otherwise, so the key of a part names the cut as well. */
#define PLAIN  0
#define RESEND 1
#define LARGE  2
#define part(cut, number)  (3 + 2 * (cut) + (number))
#define recipient_of(key)  (key < part(0, 0) -> key : 2 + (key == part(0, 1) || key == part(1, 0)))
#define PARTS  2
#define KEYS   7

typedef Entry {
  mtype:state_name state = ABSENT;
  byte calls;             /* that may have gone out                                                        */
  byte revision;          /* of the result, from 0                                                         */
  byte ids;               /* one bit each                                                                  */
  byte caller;            /* who claimed the call, counted from 1; 0 once it is dead                       */
  bit over;               /* the caller lives, and its time is over                                        */
  bit cut;                /* of a large job                                                                */
  bit left;               /* the call that was claimed has gone out                                        */
  bit stopped;            /* cancelled: the mark                                                           */
  bit begins_stopped;     /* of a large job: planned with the mark in view, so that its parts begin with it */
  byte known              /* to whom: every write draws a new token, and who read it may swap              */
};

Entry ledger[KEYS];
byte waiting[KEYS];       /* messages on the queues, by what they are about                                */
byte replays;

#define nothing_waits     (waiting[0] + waiting[1] + waiting[2] + waiting[3] + waiting[4] + waiting[5] + waiting[6] == 0)
#define most_calls        (1 + (MOST - 1) * (e == RESEND))
#define entry             ledger[e].state
#define i_know            (ledger[e].known & (1 << me))
#define my_call           (entry == CALLING && ledger[e].caller == me + 1)
#define time_is_over      (ledger[e].caller == 0 && !broken(NEVER_OVER) || ledger[e].over || broken(NO_LEASE))
#define unplanned         (entry == ABSENT || entry == OPENED)
#define never_called      (unplanned || entry == READY)
#define to_call           (entry == READY || entry == AGAIN)
#define is_stopped        (ledger[e].stopped || e > LARGE && entry == ABSENT && ledger[LARGE].begins_stopped)
#define ended             (entry == UNSENT || entry == UNCERTAIN || entry == ACCEPTED)

#include "promises.pml"

mtype:step_name = {
  IDLE, LOOK, DO_OPEN, DO_PLAN, DO_CLAIM, CHECK, CALL, REPLIED, REPLY_LOST, NOT_SENT, REFUSED, TAKE_BACK, WAIT,
  END, PUBLISH, HAND_OUT, PUT_OFF, ACK, GIVE_BACK
};

/* A swap that is won. Whoever else knew the entry knows it no more. */
inline write(_change, _after, _calls, _revision) {
  change = _change; before = entry; after = _after; more_calls = _calls + 1; new_revision = _revision;
  entry = _after;
  ledger[e].calls = ledger[e].calls + _calls;
  ledger[e].revision = ledger[e].revision + _revision;
  ledger[e].known = 1 << me
}

/* The call is to be made again; where a late reply has brought the id, it is not. */
inline write_again(_name, _more) {
  if
  :: ledger[e].ids -> write(_name, ACCEPTED, _more, 0)
  :: !ledger[e].ids && ledger[e].calls + _more > 0 -> write(_name, AGAIN, _more, 0)
  :: else -> write(_name, READY, _more, 0)
  fi
}

/* The call is over and has no reply. */
inline write_end(_name, _more) {
  if
  :: ledger[e].ids -> write(_name, ACCEPTED, _more, 0)
  :: !ledger[e].ids && ledger[e].calls + _more > 0 && !broken(UNSENT_FOR_DOUBT) -> write(_name, UNCERTAIN, _more, 0)
  :: else -> write(_name, UNSENT, _more, 0)
  fi
}

inline forget_it() { ledger[e].known = ledger[e].known & ~(1 << me) }

inline go_publish() {     /* what the entry says now, whatever it will say by then                         */
  entry_ends();
  told = entry; ids = ledger[e].ids; revision = ledger[e].revision;
  if :: broken(ACK_FIRST) -> mine = 0 :: else fi;
  step = PUBLISH
}

inline go_on() {          /* to the next part of a large job that is sent here, else to the end            */
  forget_it();
  late = 0; id = 0; told = ABSENT; ids = 0; revision = 0;
  if
  :: here && number + 1 < PARTS -> number++; e = part(cut, number); who = 2 + (cut ^ number); step = LOOK
  :: else -> step = ACK
  fi
}

inline give_back() {      /* by the worker, or by the broker that misses it                                */
  if :: mine -> waiting[m]++; mine = 0 :: else fi
}

inline go_idle() {
  forget_it();
  m = 0; e = 0; who = 0; cut = 0; number = 0; here = 0; mine = 0; froze = 0; id = 0; late = 0;
  told = ABSENT; ids = 0; revision = 0;
  busy--;
  step = IDLE
}

#define take(key, recipient)  :: step == IDLE && waiting[key] > 0 -> \
  waiting[key]--; busy++; mine = 1; m = key; e = key; who = recipient; step = LOOK

proctype worker(byte me) {
  mtype:step_name step = IDLE;
  byte m;                 /* what the delivery is about                                                    */
  byte e;                 /* the entry that is worked on                                                   */
  byte who;               /* its recipient                                                                 */
  bit cut, number, here;  /* of a large job: the cut, the part, and whether its parts are sent here        */
  bit mine;               /* the delivery is still this worker's; it cannot know                           */
  bit froze;              /* it stood still since it claimed or checked                                    */
  byte id;                /* that a reply brought                                                          */
  bit late;               /* after another worker had taken the call over                                  */
  mtype:state_name told = ABSENT; byte ids, revision;   /* what it is about to publish                     */

end:
  do
  :: atomic {
    if
    take(PLAIN, 0)
    take(RESEND, 1)
    take(LARGE, 2)
    take(part(0, 0), 2)
    take(part(0, 1), 3)
    take(part(1, 0), 3)
    take(part(1, 1), 2)

    :: step == LOOK ->                                          /* read the entry, and see what is next    */
      ledger[e].known = ledger[e].known | (1 << me);
      if
      :: entry == ABSENT && e <= LARGE -> step = DO_OPEN
      :: unplanned && e == LARGE -> if :: cut = 0 :: cut = 1 fi; step = DO_PLAN   /* as the DND list says  */
      :: unplanned && e != LARGE && !is_stopped -> step = DO_CLAIM
      :: unplanned && e != LARGE && is_stopped -> step = END    /* nobody is looked up or called           */
      :: unplanned && e != LARGE && fault; step = END           /* the list gives no answer in any round   */
      :: to_call && !is_stopped -> step = DO_CLAIM
      :: to_call && is_stopped -> step = END
      :: to_call && fault; step = END                           /* it is expired                           */
      :: entry == CALLING -> if :: broken(NO_WAIT) -> step = GIVE_BACK :: else -> step = WAIT fi
      :: ended -> go_publish()
      :: entry == PLANNED -> cut = ledger[e].cut; step = HAND_OUT
      :: entry == PLANNED -> cut = ledger[e].cut; forget_it(); here = 1; e = part(cut, 0); who = 2 + cut
      :: entry == UNSENT && !is_stopped && replays > 0 && mine -> replays--; write(REOPEN, READY, 0, 1)
      :: entry == UNSENT && !is_stopped && replays > 0 && mine && e < LARGE -> replays--; write(REPLAN, OPENED, 0, 1)
      :: entry == UNCERTAIN && !is_stopped && replays > 0 && mine -> replays--; insisted[who]++; write(REOPEN, AGAIN, 0, 1)
      fi

    :: step == DO_OPEN ->
      if :: i_know -> write(OPEN, OPENED, 0, 0) :: else fi;
      step = LOOK

    :: step == DO_PLAN ->
      if
      :: broken(PLAN_LATER) -> step = HAND_OUT
      :: i_know && !broken(PLAN_LATER) -> ledger[e].cut = cut;
        ledger[e].begins_stopped = ledger[e].stopped; write(PLAN, PLANNED, 0, 0); step = LOOK
      :: else -> step = LOOK
      fi

    :: step == DO_CLAIM ->
      if
      :: broken(CALL_FIRST) -> step = CALL
      :: i_know && !broken(CALL_FIRST) ->
        claim_is_made();
        write(CLAIM, CALLING, 1, 0); ledger[e].caller = me + 1; ledger[e].over = 0; ledger[e].left = 0; froze = 0;
        if :: step = CHECK :: fault; step = TAKE_BACK fi        /* the swap's answer is lost               */
      :: i_know && unplanned && !broken(CALL_FIRST) -> write(PLAN, READY, 0, 0); step = LOOK   /* or another of its calls goes first */
      :: else -> if :: broken(LOST_SWAP_WON) -> step = CHECK :: else -> step = LOOK fi
      fi

    :: step == CHECK ->                                         /* does the claim still stand?             */
      if
      :: froze && !broken(NO_RECHECK) -> step = TAKE_BACK
      :: else -> froze = 0; step = CALL
      fi

    :: step == CALL ->
      call_leaves();
      froze = 0;
      if :: my_call && CANCELS -> ledger[e].left = 1 :: else fi;
      if
      :: text_arrives(); id = 1 << (texts[who] - 1); owed[who] = owed[who] | id; step = REPLIED
      :: fault; text_arrives(); harmed[who] = 1; step = REPLY_LOST
      :: fault; harmed[who] = 1; step = REPLY_LOST              /* and so was the request                  */
      :: fault; step = NOT_SENT                                 /* for certain; it may be tried again      */
      :: fault; step = REFUSED                                  /* for good                                */
      fi

    :: step == REPLIED ->                                       /* until a swap is won: no one else knows  */
      if
      :: my_call -> ledger[e].ids = ledger[e].ids | id; write(RECORD, ACCEPTED, 0, 0); go_publish()
      :: !my_call && never_called ->
        late = 1;
        if
        :: broken(FORGOTTEN_LET_GO) -> step = GIVE_BACK
        :: else -> ledger[e].ids = id; write(KEEP, ACCEPTED, 1, 0); step = LOOK
        fi
      :: !my_call && !never_called && broken(LATE_DROPPED) -> step = LOOK
      :: else ->
        late = 1; step = LOOK;
        ledger[e].ids = ledger[e].ids | id;
        if
        :: entry == CALLING -> write(REVISE, CALLING, 0, 0)
        :: entry == AGAIN && !broken(CALL_IN_SPITE) -> write(REVISE, ACCEPTED, 0, 0)
        :: ended && !broken(SAME_REVISION) -> write(REVISE, ACCEPTED, 0, 1)
        :: ended && broken(SAME_REVISION) -> write(REVISE, ACCEPTED, 0, 0)
        :: else
        fi
      fi

    :: step == REPLY_LOST ->
      if
      :: my_call && ledger[e].calls < most_calls ->
        write_again(REPEAT, 0 - broken(UNCOUNTED));
        if :: step = LOOK :: step = PUT_OFF fi
      :: my_call && ledger[e].calls >= most_calls -> write_end(DOUBT, 0); go_publish()
      :: !my_call && never_called && most_calls > 1 -> write(KEEP, AGAIN, 1, 0); step = LOOK
      :: !my_call && never_called && most_calls == 1 -> write(KEEP, UNCERTAIN, 1, 0); go_publish()
      :: else -> step = LOOK
      fi

    :: step == NOT_SENT ->
      if
      :: my_call -> write_again(RELEASE, -1); if :: step = LOOK :: step = PUT_OFF :: step = END fi
      :: else -> step = LOOK
      fi

    :: step == REFUSED ->
      if :: my_call -> write_end(REFUSE, -1); go_publish() :: else -> step = LOOK fi

    :: step == TAKE_BACK ->
      if
      :: my_call && !broken(CLAIM_LEFT) -> write_again(RELEASE, -1)
      :: my_call && broken(CLAIM_LEFT) -> ledger[e].caller = 0
      :: else
      fi;
      if :: step = LOOK :: step = GIVE_BACK fi

    :: step == WAIT && !i_know -> step = LOOK
    :: step == WAIT && (i_know || broken(BLIND_WRITE)) && time_is_over ->
      if :: broken(BLIND_WRITE) -> ledger[e].ids = 0 :: else fi;
      if
      :: ledger[e].calls < most_calls || broken(BLIND_TAKEOVER) -> write_again(REPEAT, 0); step = LOOK
      :: else -> write_end(DOUBT, 0); go_publish()
      fi

    :: step == END ->
      if
      :: i_know && unplanned -> write(SETTLE, UNSENT, 0, 0); go_publish()
      :: i_know && to_call -> write_end(GIVE_UP, 0); go_publish()
      :: else -> step = LOOK
      fi

    :: step == PUBLISH ->                                       /* a result                                */
      if
      :: result_is_published(); go_on()
      :: fault;                                                 /* not confirmed, published or not         */
        if :: result_is_published() :: skip fi;
        if
        :: late && !broken(LATE_GIVEN_UP)                       /* nobody else may be left to publish it   */
        :: else -> step = GIVE_BACK
        fi
      fi

    :: step == HAND_OUT ->                                      /* a part, as a message of its own         */
      if
      :: waiting[part(cut, number)]++; if :: number == 0 -> number = 1 :: else -> step = ACK fi
      :: fault;
        if :: waiting[part(cut, number)]++ :: skip fi;
        if :: broken(PARTS_UNCONFIRMED) -> step = ACK :: else -> step = GIVE_BACK fi
      fi

    :: step == PUT_OFF ->                                       /* a copy, to come again later             */
      if
      :: waiting[e]++; go_on()
      :: fault; if :: waiting[e]++ :: skip fi; step = GIVE_BACK
      fi

    :: step == ACK -> go_idle()                                 /* without effect where it is not mine     */
    :: step == GIVE_BACK -> result_is_left(); give_back(); go_idle()

    /* What may happen to a worker at any step. */
    :: step != IDLE && fault;                                   /* it dies                                 */
      result_is_left();
      give_back();
      if :: my_call -> ledger[e].caller = 0; harmed[who] = 1 :: else fi;
      if :: step == REPLIED || late -> owed[who] = owed[who] & ~id :: else fi;   /* it alone knew          */
      go_idle()
    :: mine && fault; give_back()                               /* it loses the broker                     */
    :: my_call && !ledger[e].over && fault;     /* it stands still until its time is over  */
      ledger[e].over = 1; harmed[who] = 1; froze = 1; give_back()
    fi;

    if :: change > 0 -> listed() :: else fi;
    if :: busy == 0 && nothing_waits -> all_is_done() :: else fi
  }
  od
}

/* A swap of what the request has just read: who knew the entry knows it no more. */
inline mark() {
  if
  :: entry == ABSENT && e <= LARGE -> write(OPEN, OPENED, 0, 0)           /* the job is still to come      */
  :: entry == ABSENT && e > LARGE -> write(PLAN, READY, 0, 0)             /* the part is still to begin    */
  :: else
  fi;
  ledger[e].stopped = 1;
  if :: broken(MARK_UNSEEN) :: else -> ledger[e].known = 0 fi
}

#define is_ended(key)     (ledger[key].state == UNSENT || ledger[key].state == UNCERTAIN || ledger[key].state == ACCEPTED)
#define nobody_is_open    (ended || entry == PLANNED && is_ended(part(ledger[e].cut, 0)) && is_ended(part(ledger[e].cut, 1)))
/* A claim that no call has followed yet may still be followed by one, unless its time is over. */
#define may_leave(key)    (ledger[key].state == CALLING && !ledger[key].left && !ledger[key].over && ledger[key].caller > 0)

/* Killed between two steps, the request comes again and goes on: it only takes longer. */
proctype canceller(byte me) {
  byte e; bit cut; byte number;

  atomic {
    e = (PLAIN_JOB -> PLAIN : (RESEND_JOB -> RESEND : LARGE));
    if
    :: nobody_is_open -> number = 3                             /* too late                                */
    :: else ->
      mark();
      if :: entry == PLANNED -> cut = ledger[e].cut; number = 1 :: else fi
    fi;
    if :: change > 0 -> listed() :: else fi
  }
  do
  :: atomic { number == 1 || number == 2 ->
      e = part(cut, number - 1);
      if :: broken(PARTS_UNMARKED) :: else -> mark() fi;
      if :: change > 0 -> listed() :: else fi;
      if :: number == 1 -> number = 2 :: else -> number = 4 fi }
  :: atomic { (number == 0 || number == 4) &&
      (broken(ANSWER_EARLY) || (number == 0 -> !may_leave(e) : !may_leave(part(cut, 0)) && !may_leave(part(cut, 1)))) ->
      if
      :: e < LARGE -> recorded[e] = 1
      :: else -> recorded[2] = 1; recorded[3] = 1
      fi;
      number = 3 }
  :: number == 3 -> break
  od
}

proctype world() {
  byte key;
end:
  do
  :: atomic { PLAIN_JOB && fault; waiting[PLAIN]++ }            /* a producer publishes its job again      */
  :: atomic { RESEND_JOB && fault; waiting[RESEND]++ }
  :: atomic { LARGE_JOB && fault; waiting[LARGE]++ }
  :: atomic { forgets > 0 ->                                    /* the ledger loses an entry               */
      forgets--;
      key = 0; do :: key < KEYS - 1 -> key++ :: break od;
      owed[recipient_of(key)] = owed[recipient_of(key)] & ~ledger[key].ids;     /* they go with it        */
      if
      :: ledger[key].state = ABSENT
      :: ledger[key].state == CALLING -> ledger[key].state = OPENED             /* or is set back          */
      :: ledger[key].state == CALLING -> ledger[key].state = READY
      fi;
      ledger[key].calls = 0; ledger[key].revision = 0; ledger[key].ids = 0; ledger[key].caller = 0;
      ledger[key].over = 0; ledger[key].cut = 0; ledger[key].known = 0;
      ledger[key].stopped = 0; ledger[key].begins_stopped = 0; ledger[key].left = 0;
      if :: key < LARGE -> forgotten[key] = 1 :: else -> forgotten[2] = 1; forgotten[3] = 1 fi;
      key = 0 }
  :: atomic { timeout -> promise(nobody_waits_for_ever, busy == 0 && nothing_waits) }
  od
}

init {
  byte number;
  atomic {
    begins();
    c_code {
      MOST = given("MOST"); REPLAYS = given("REPLAYS");
      PLAIN_JOB = given("PLAIN_JOB"); RESEND_JOB = given("RESEND_JOB"); LARGE_JOB = given("LARGE_JOB");
    };
    replays = REPLAYS;
    waiting[PLAIN] = PLAIN_JOB; waiting[RESEND] = RESEND_JOB; waiting[LARGE] = LARGE_JOB;
    do :: number < WORKERS -> run worker(number); number++ :: else -> break od;
    if :: CANCELS -> run canceller(7) :: else fi;
    run world()
  }
}

#ifdef LIVENESS
ltl every_job_ends { <>[] (busy == 0 && nothing_waits) }
#endif
