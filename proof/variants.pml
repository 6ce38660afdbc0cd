/* Broken variants: BROKEN makes one mistake in the protocol, and some promise no longer holds. */

#define NOTHING            0
#define CALL_FIRST         1   /* calls, and writes the claim with the reply                               */
#define NO_LEASE           2   /* takes a call over as soon as it finds one                                */
#define BLIND_TAKEOVER     3   /* calls again for whoever died, whether the job asked for it or not        */
#define BLIND_WRITE        4   /* takes over whatever the entry says by now                                */
#define LOST_SWAP_WON      5   /* calls although its claim was refused                                     */
#define NO_RECHECK         6   /* calls without a look at the clock after it stood still                   */
#define CLAIM_LEFT         7   /* does not take back a claim whose swap had no answer                      */
#define LATE_DROPPED       8   /* a reply that comes after the take-over is forgotten                      */
#define LATE_GIVEN_UP      9   /* its result is published once, confirmed or not                           */
#define FORGOTTEN_LET_GO   10  /* a reply is let go where the ledger forgot the call                       */
#define CALL_IN_SPITE      11  /* an id that comes late does not end the repeat that waits                 */
#define UNCOUNTED          12  /* a call whose reply is lost is not counted                                */
#define UNSENT_FOR_DOUBT   13  /* a repeat that is given up counts as never sent                           */
#define SAME_REVISION      14  /* a late id changes the result under the same revision                     */
#define ACK_FIRST          15  /* acknowledges, then publishes                                             */
#define PARTS_UNCONFIRMED  16  /* acknowledges a large job whether its parts were confirmed or not         */
#define PLAN_LATER         17  /* parts go out before the plan is written                                  */
#define NEVER_OVER         18  /* waits for the reply of a dead worker                                     */
#define NO_WAIT            19  /* returns the delivery of a call that is under way, again and again        */
#define PARTS_UNMARKED     20  /* stops a large job by the mark in its own entry alone                       */
#define MARK_UNSEEN        21  /* marks without a new token: a claim that was about to be written stands     */
#define ANSWER_EARLY       22  /* says that a job is stopped before claims made earlier are followed or over */

/* Of jobs that wait (scheduled.pml). */
#define WAITS_UNACKED      23  /* acknowledges, then copies the job to the ladder                          */
#define UNOPENED           24  /* a job waits without an entry of its own                                  */
#define UNRENEWED          25  /* its entry is not renewed where it waits on                               */
#define WAITS_AT_ONCE      26  /* it waits in one go, for longer than its entry lives                      */
#define LADDER_TRUSTED     27  /* what comes from the ladder is taken for due                              */
#define END_UNSEEN         28  /* the end of its time is not looked at                                     */
#define BLIND_CLAIM        29  /* claims whatever the entry says by now                                    */
#define ANSWERED_EARLY     30  /* says that it is stopped before the claim of a call is over               */

/* Of tracked messages (tracked.pml). */
#define LOOKED_UNACKED     31  /* acknowledges a look, then publishes what brings the next one             */
#define NAMED_FIRST        32  /* the entry names the message of the next look, then it is published       */
#define UNNAMED_DROPPED    33  /* a message that the entry does not name yet is of no use                  */
#define TOLD_FIRST         34  /* publishes an end, then records it                                        */
#define NUMBERED_ALIKE     35  /* a part's second tracked result has the number of its first               */
#define BLIND_UNIT         36  /* writes whatever the entry says by now                                    */
#define ENDED_AGAIN        37  /* who has its end is followed again where the job comes again              */
#define FOLLOWED_ONCE      38  /* a message that comes by a late reply is not followed                     */
#define UNTOLD_DROPPED     39  /* a message that joins lets go of results that are not out yet             */
#define BARE_MESSAGE       40  /* what brings a look does not say for whom                                 */
#define NOT_FOLLOWED       41  /* acknowledges the job, then has its messages followed                     */

#define broken(name)  (BROKEN == name)
