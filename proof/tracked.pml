/* How accepted messages are followed to their end, by looks that messages of the broker bring.

   The send jobs are the protocol's: here one has been sent, its delivery is not acknowledged yet, and a late reply
   may bring another id. Each option of a worker's loop is one step. */

#include "common.pml"

hidden byte LOOKS;        /* after so many every message has its end: the time of tracking is over         */
hidden byte FIRST;        /* messages that the job has at once, one bit each                               */
hidden byte LATE;         /* those that a late reply brings: a worker without a delivery has it            */
hidden byte FOLLOWED;     /* 1: the first look is on its way, and the job is done                          */
#define MESSAGES   2
#define NUMBERS    5      /* of tracked results, from 1                                                    */
#define SLOTS      7      /* messages of the broker that differ                                            */

hidden byte only_listed_changes, one_end_each, same_result_again, every_message_ends, no_look_lost,
  nobody_waits_for_ever;

typedef FollowUp {
  byte copies;            /* on the queue                                                                  */
  byte held;              /* in the hands of workers that may still lose it                                */
  byte refs;              /* workers that know of it; what nobody knows of is no part of the state         */
  byte look;              /* which it brings                                                               */
  byte results;           /* that there were                                                               */
  byte open               /* messages that it carries                                                      */
};

typedef Unit {
  bit there;
  byte look;              /* which is due                                                                  */
  byte nonce;             /* the message that brings it, counted from 1; 0: none, as nothing is open       */
  byte results;           /* recorded so far                                                               */
  byte open, ended;       /* messages                                                                      */
  byte untold;            /* the result that is recorded and not out: two bits a message, how it ended     */
  byte known              /* to whom: every write draws a new token                                        */
};

FollowUp queued[SLOTS];
Unit unit;
byte accepted;            /* messages in the entry of the send job                                         */
byte jobs;                /* deliveries of the send job on its queue                                       */
byte jobs_held;
byte late_reply;          /* is still to come                                                              */
byte told[NUMBERS];       /* results that were published                                                   */
byte heard;               /* messages whose end they told                                                  */
byte excused;             /* messages of a late reply whose worker died with it                            */
bit forgotten;

#include "units.pml"

#define i_know            (unit.known & (1 << me) || broken(BLIND_UNIT))
#define brings(f)         (!unit.there || queued[f].look > unit.look && !broken(UNNAMED_DROPPED) \
  || queued[f].look == unit.look && unit.nonce == f + 1)
#define is_free(f)        (queued[f].copies + queued[f].refs == 0 && unit.nonce != f + 1)
#define tells(words, i)   (((words) >> (2 * (i))) & 3)
#define whom(words)       ((tells(words, 0) > 0) | ((tells(words, 1) > 0) << 1))
#define carries(f)        (queued[f].copies + queued[f].held > 0 && brings(f))
#define carried           (carries(0) || carries(1) || carries(2) || carries(3) || carries(4) || carries(5) || carries(6))
#define queue_is_empty    (queued[0].copies + queued[1].copies + queued[2].copies + queued[3].copies \
  + queued[4].copies + queued[5].copies + queued[6].copies + jobs + late_reply == 0)

mtype:step_name = {
  IDLE, FOLLOW, ADD, LOAD, ASK, PUT_OFF, DO_RECORD, TELL, BRING, NAME, PLACE, ACK, GIVE_BACK
};

inline tidied() {         /* what nobody knows of any more                                                 */
  f = 0;
  do
  :: f < SLOTS ->
    if :: is_free(f) -> queued[f].look = 0; queued[f].results = 0; queued[f].open = 0 :: else fi;
    f++
  :: else -> break
  od;
  f = 0
}

inline let_go() {
  if
  :: mine && slot > 0 -> queued[slot - 1].held--
  :: mine && slot == 0 -> jobs_held--
  :: else
  fi;
  mine = 0
}
inline give_back() {
  if
  :: mine && slot > 0 -> queued[slot - 1].copies++
  :: mine && slot == 0 -> jobs++
  :: else
  fi;
  let_go()
}
inline go_idle() {
  let_go();
  if :: slot > 0 -> queued[slot - 1].refs-- :: else fi;
  drop_next();
  unit.known = unit.known & ~(1 << me);
  slot = 0; late = 0; wish = 0; clear(); busy--; step = IDLE
}
inline drop_next() { if :: next > 0 -> queued[next - 1].refs--; next = 0 :: else fi }
inline clear() { look = 0; open = 0; results = 0; untold = 0; number = 0 }
inline again() { drop_next(); clear(); if :: slot > 0 -> step = LOAD :: else -> step = FOLLOW fi }
inline fails() {          /* the ledger or the broker gave no answer                                       */
  if :: late -> again() :: else -> step = GIVE_BACK fi
}

inline published(_copies) {
  next = 1;
  do :: next <= SLOTS && !is_free(next - 1) -> next++ :: else -> break od;
  assert(next <= SLOTS);
  queued[next - 1].copies = _copies; queued[next - 1].refs = 1; queued[next - 1].look = look;
  queued[next - 1].results = results;
  queued[next - 1].open = (broken(BARE_MESSAGE) -> 0 : open)
}

inline write_on() {       /* the next look                                                                 */
  begins_write();
  unit.there = 1; unit.look = look; unit.nonce = next; unit.results = results; unit.open = open; unit.untold = 0;
  unit.known = 1 << me;
  listed_write()
}

inline write_record() {
  begins_write();
  if
  :: !unit.there -> unit.look = queued[slot - 1].look; unit.nonce = slot
  :: else
  fi;
  unit.there = 1; unit.open = open; unit.ended = unit.ended | whom(untold); unit.results = results;
  unit.untold = untold; unit.known = 1 << me;
  listed_write()
}

inline write_joined() {
  begins_write();
  unit.open = open; unit.known = 1 << me;
  listed_write()
}

inline result_is_told() {
  assert(number < NUMBERS);
  promise(same_result_again, told[number] == 0 || told[number] == untold || forgotten);
  told[number] = untold; heard = heard | whom(untold);
  f = 1;
  do
  :: f < NUMBERS ->
    promise(one_end_each, f == number || (whom(told[f]) & whom(untold)) == 0 || forgotten); f++
  :: else -> break
  od;
  f = 0
}

#define take(f)  :: step == IDLE && queued[f].copies > 0 -> \
  queued[f].copies--; queued[f].held++; queued[f].refs++; slot = f + 1; busy++; mine = 1; step = LOAD

proctype worker(byte me) {
  mtype:step_name step = IDLE;
  byte slot;              /* the message that brought the look, counted from 1; 0: a delivery of the job   */
  bit mine;               /* the delivery is still this worker's; it cannot know                           */
  bit late;               /* it came without one, by a late reply                                          */
  byte wish;              /* messages to follow                                                            */
  byte look, open, results, untold, number;     /* of the unit, as this worker sees it                     */
  byte next;              /* the message that it has published for the next look                           */
  byte f;

end:
  do
  :: atomic {
    if
    :: step == IDLE && jobs > 0 ->                              /* its result is published by now          */
      jobs--; jobs_held++; busy++; mine = 1; wish = accepted; step = FOLLOW;
      if :: broken(NOT_FOLLOWED) -> let_go() :: else fi
    :: step == IDLE && late_reply ->                            /* recorded, and told as a revision        */
      late_reply = 0; accepted = accepted | LATE; busy++; late = 1; wish = accepted; step = FOLLOW
    take(0)
    take(1)
    take(2)
    take(3)
    take(4)
    take(5)
    take(6)

    :: step == FOLLOW ->
      unit.known = unit.known | (1 << me);
      open = wish & ~unit.open;
      if :: broken(ENDED_AGAIN) :: else -> open = open & ~unit.ended fi;
      if
      :: open == 0 || unit.there && broken(FOLLOWED_ONCE) -> clear(); step = ACK
      :: else ->
        open = open | unit.open; results = unit.results;
        if
        :: unit.untold > 0 && !broken(UNTOLD_DROPPED) -> step = ADD
        :: else -> look = unit.look + 1; step = BRING
        fi
      fi
    :: step == ADD ->
      if
      :: i_know ->
        write_joined();
        if :: step = ACK; clear() :: fault; fails() fi
      :: fault; fails()
      :: else -> again()
      fi

    :: step == LOAD ->
      unit.known = unit.known | (1 << me);
      if
      :: !brings(slot - 1) -> step = ACK                        /* of no use any more                      */
      :: else ->
        look = queued[slot - 1].look; results = unit.results; open = unit.open; untold = unit.untold;
        number = (untold -> results : 0);
        if
        :: !unit.there -> open = queued[slot - 1].open; results = queued[slot - 1].results
        :: unit.there && look > unit.look -> open = open | (queued[slot - 1].open & ~unit.ended)
        :: else
        fi;
        if
        :: untold > 0 -> step = TELL
        :: untold == 0 && open > 0 -> step = ASK
        :: else -> look++; step = BRING
        fi
      fi

    :: step == ASK ->                                           /* about all that are open                 */
      if
      :: if :: !(open & 1) || look < LOOKS :: (open & 1) -> untold = 1 :: (open & 1) -> untold = 2 fi;
        if :: !(open & 2) || look < LOOKS :: (open & 2) -> untold = untold | 4 :: (open & 2) -> untold = untold | 8 fi;
        open = open & ~whom(untold);
        if
        :: untold > 0 ->
          if :: broken(NUMBERED_ALIKE) -> results = 1 :: else -> results++ fi;
          number = results;
          if :: broken(TOLD_FIRST) -> result_is_told() :: else fi;
          step = DO_RECORD
        :: else -> look++; step = BRING
        fi
      :: fault; step = PUT_OFF                                  /* no answer                               */
      fi
    :: step == PUT_OFF ->                                       /* the same look, later                    */
      if
      :: queued[slot - 1].copies++; clear(); step = ACK
      :: fault; if :: queued[slot - 1].copies++ :: skip fi; clear(); step = GIVE_BACK
      fi

    :: step == DO_RECORD ->
      if
      :: i_know ->
        write_record();
        if :: step = TELL :: fault; fails() fi
      :: fault; fails()
      :: else -> again()
      fi
    :: step == TELL ->
      if
      :: result_is_told(); untold = 0; number = 0; look++; step = BRING
      :: fault; if :: result_is_told() :: skip fi; fails()
      fi

    :: step == BRING && open == 0 -> step = NAME
    :: step == BRING && open > 0 ->
      if :: broken(LOOKED_UNACKED) && slot > 0 -> let_go() :: else fi;
      if
      :: published(!broken(NAMED_FIRST)); step = NAME
      :: fault; if :: published(1); drop_next() :: skip fi; fails()
      fi
    :: step == NAME ->
      if
      :: i_know ->
        write_on();
        if
        :: next > 0 && broken(NAMED_FIRST) -> step = PLACE
        :: next == 0 || !broken(NAMED_FIRST) -> drop_next(); clear(); step = ACK
        :: fault; fails()
        fi
      :: fault; fails()
      :: else -> again()
      fi
    :: step == PLACE -> queued[next - 1].copies++; drop_next(); clear(); step = ACK

    :: step == ACK -> go_idle()
    :: step == GIVE_BACK -> give_back(); go_idle()

    :: step != IDLE && fault;                                   /* it dies                                 */
      if :: late -> excused = excused | (LATE & ~unit.open & ~unit.ended) :: else fi;
      give_back(); go_idle()
    :: mine && fault; give_back()                               /* it loses the broker, or stands still    */
    fi;

    tidied();
    promise(no_look_lost, ((unit.open | whom(unit.untold)) & ~heard) == 0 || carried || forgotten);
    if
    :: busy == 0 && queue_is_empty -> promise(every_message_ends, (accepted & ~(heard | excused)) == 0)
    :: else
    fi
  }
  od
}

proctype world() {
end:
  do
  :: atomic { fault; jobs++ }                                   /* the producer publishes the job again    */
  :: atomic { forgets > 0 && unit.there ->                      /* the ledger loses the entry              */
      forgets--; forgotten = 1;
      unit.there = 0; unit.look = 0; unit.nonce = 0; unit.results = 0; unit.open = 0; unit.ended = 0;
      unit.untold = 0; unit.known = 0 }
  :: atomic { timeout -> promise(nobody_waits_for_ever, busy == 0 && queue_is_empty) }
  od
}

init {
  byte number;
  atomic {
    begins();
    c_code { LOOKS = given("LOOKS"); FIRST = given("FIRST"); LATE = given("LATE"); FOLLOWED = given("FOLLOWED"); };
    accepted = FIRST; jobs = !FOLLOWED; late_reply = LATE > 0;
    if
    :: FOLLOWED ->
      queued[0].copies = 1; queued[0].look = 1; queued[0].open = FIRST;
      unit.there = 1; unit.look = 1; unit.nonce = 1; unit.open = FIRST
    :: else
    fi;
    do :: number < WORKERS -> run worker(number); number++ :: else -> break od;
    run world()
  }
}

#ifdef LIVENESS
ltl every_look_ends { <>[] (busy == 0 && queue_is_empty) }
#endif
