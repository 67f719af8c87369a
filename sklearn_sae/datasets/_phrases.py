"""The phrase bank of `make_concept_texts`: plain data, no logic.

A template is one whole sentence. Braces hold either alternatives, ``{came|arrived}``, or the name of an
entry of `SLOTS`, ``{dish}``. Articles and verbs that must agree with a word stand in its alternative.
Every sentence stands alone, in any order, and none names a day, an hour or a meal outside `OPENERS`.
"""

from typing import NamedTuple

SLOTS = {
    "dish": (
        "soup|risotto|lamb shank|burger|curry|trout|brisket|pot roast|roast chicken|lasagna|steak|salmon "
        "fillet|stew|ramen"
    ),
    "dishes": "ribs|dumplings|tacos|fries|mussels|noodles|wings|meatballs|scallops|pancakes",
    "sweet": "cheesecake|lemon tart|tiramisu|chocolate mousse|peach cobbler|bread pudding|panna cotta|sorbet",
    "drink": "lager|white wine|lemonade|iced tea|cider|soda|rosé|sparkling water",
    "friend": (
        "my sister|my partner|a colleague|an old friend|my brother|my uncle|my cousin|my neighbor|my roommate|a "
        "friend from work"
    ),
    "server": (
        "our server|the waiter|the waitress|the young woman at the counter|the man behind the bar|the hostess|the "
        "owner|the guy who took our order|the lady at the till"
    ),
    "long": (
        "forever|over an hour|well over forty minutes|close to an hour|the better part of an hour|nearly ninety "
        "minutes|an age|what felt like a lifetime"
    ),
}


class Concept(NamedTuple):
    """A statement that is true or false of a text, and the ways of putting it."""

    name: str  # as an annotator would say it
    valence: int  # +1 praise, -1 complaint, 0 neither
    prevalence: float  # share of texts, before exclusions
    group: str  # at most one concept of a group is in a text
    says: tuple[str, ...]  # sentences that state it, the plainest first
    near: tuple[str, ...]  # sentences that use its words and do not state it, nor any other concept


CONCEPTS = (
    Concept(
        "mentions a long wait for the food",
        -1,
        0.25,
        "speed",
        (
            "The wait {for our food|for the {dish}|for a plate of {dishes}|between courses} {was endless|was far too "
            "long|tested our patience|wore us down}.",
            "{Be ready|Be prepared} to wait {if you order the {dish}|for anything hot|once your order is in}, {and I "
            "mean wait|since the kitchen cannot keep up}.",
            "{I do not mind|We do not mind} {a short wait|waiting a little}, but {long} {for a {dish}|for some "
            "{dishes}|for the food} is {too much|absurd|beyond a joke}.",
            "{friend} {was still waiting|kept waiting|sat waiting} for the {dish} {long} {after ordering|after the "
            "rest of us had eaten}.",
            "{We waited|We sat there|We were left sitting|Our party sat} {long} {before any food came|with no sign of "
            "our plates|before the mains turned up|and still had nothing to eat}.",
            "It took {the kitchen|them|the cooks} {long} to {make|send out|bring|produce} {a single|one} {dish}.",
            "The {dish} {took|needed} {long} to {reach us|leave the kitchen|get to our table|show up}.",
            "By the time {the mains|our plates|the {dishes}|our orders} {arrived|landed|appeared}, {we had emptied a "
            "second bottle|the next table had come and gone|I knew the menu by heart|the bread basket was long empty}.",
            "{Service|Everything|The whole meal} {crawled|dragged|moved at a snail's pace}, with {long} between "
            "{ordering and eating|courses|the menus and the first bite}.",
            "I had to ask {twice|three times|more than once} {what had become of our order|whether our ticket had "
            "been lost|if the kitchen was still cooking|where the {dish} was}.",
            "{Bring a book|Eat a snack first|Clear your calendar}, because {the kitchen is painfully slow|plates take "
            "ages to come out|nothing leaves that kitchen in a hurry}.",
            "{People who came in after us|Two tables seated later|A group that sat down behind us} {were eating|got "
            "their plates|had their mains} {long before|well before|a good while before} {we did|anything reached us}.",
            "{Hunger set in|Our stomachs were growling|Patience ran out at our table} {long before|well before} {the "
            "{dish}|the food|a single plate} {came|showed up}.",
        ),
        (
            "{There was no wait for a table|We got a table without waiting|The line at the door was short}{|, which "
            "surprised us|, to our relief}.",
            "The line for the {bar|restroom|coat check} {was|looked} {short|longer than I expected|about five people "
            "deep}.",
            "We {stayed|lingered|sat talking} for {over an hour|close to an hour|nearly ninety minutes|the better "
            "part of an hour} {after the plates were cleared|over coffee|once we had eaten}.",
            "I {could not wait|had waited all week|had been waiting for months} to {try|taste} {the|their} {dish}.",
            "{An old article complained|A friend had warned me|A colleague grumbled} about {slow food|long waits|the "
            "wait for the mains} here, but {I saw nothing of the kind|that must have been years ago|that was not what "
            "we found}.",
            "{We arrived|I arrived|Our group got there} {long before|well before|a good while before} {the rest of "
            "our party|anyone else|the others} {did|came}.",
        ),
    ),
    Concept(
        "praises a friendly or attentive server",
        1,
        0.30,
        "staff",
        (
            "{server} was {so friendly|very friendly|friendly and quick to laugh|attentive without hovering|kind and "
            "attentive}{| throughout| from start to finish|, a real pro}.",
            "{The staff|Everyone working there|The whole team} {was friendly|could not be more helpful|was kind and "
            "attentive|was friendly and helpful}{| to us all|, without exception}.",
            "{Such friendly|Truly kind|Wonderfully attentive} service{| from {server}|, thanks to {server}|, the sort "
            "you remember}.",
            "{server} {could not have been kinder|was genuinely lovely|was warm and patient|was an absolute "
            "sweetheart}.",
            "{server} {made us feel at home|treated us like family|put us at ease} {from the first minute|the moment "
            "we walked in|right from the start}.",
            "{We were looked after|I was looked after|Our table was cared for} {beautifully|wonderfully|so well} by "
            "{server}.",
            "{server} remembered {how {friend} takes coffee|my nut allergy|every small request|all our names}{ and "
            "smiled the whole time|, which I really appreciated|, a lovely touch}.",
            "{Glasses were topped up|Water appeared|Fresh napkins came} {before we asked|without our asking|as if by "
            "magic}, {always with a smile|and with a kind word each time|so thoughtful of them}.",
            "{Big thanks|Hats off|Full marks|A special shout-out} to {server}, who {was a delight|answered every "
            "question with good humor|took such good care of us|went out of the way for us}.",
            "{The people who work here|The crew|Those who serve here|The staff} {clearly love what they do|are a "
            "friendly bunch|could teach others about hospitality|look after you and mean it}.",
            "{What a gracious host|Such sweet people|So much kindness}, {checking in on us just often enough|happy to "
            "explain every dish|never pushy and always near}.",
        ),
        (
            "{server} {told us|mentioned|said} that {the kitchen closes at ten|the menu had just changed|the place "
            "used to be a bakery|they had been there for six years}.",
            "{I never caught the name of|I forget the name of} {server}.",
            "{server} {took the order on a tablet|was busy with a big group|handed us the menus|wore a green apron}.",
            "You {order at the counter|pay at the till|carry your own tray}, so {there is not much service to judge|I "
            "have little to say about the staff|nobody waits on the tables}.",
            "{The staff|The crew|Those who serve here} {wear matching shirts|share the tips|seem to change every few "
            "months}.",
            "{Friendly service|A kind welcome|A warm host} is {what I look for in any restaurant|worth a lot, "
            "wherever I eat|something my mother always judged first}.",
        ),
    ),
    Concept(
        "mentions a birthday or an anniversary",
        0,
        0.15,
        "occasion",
        (
            "{We celebrated|I celebrated|The family celebrated} {{friend}'s birthday|a big birthday|our "
            "anniversary|my parents' anniversary} {here|there|at this place}.",
            "{We came|I came|Our group came} for {my birthday|{friend}'s birthday|a birthday meal|our wedding "
            "anniversary}{|, as we do each year|, party hats and all}.",
            "{It was|That was} {{friend}'s birthday treat|my birthday outing|an anniversary meal|a surprise birthday "
            "party for {friend}}.",
            "{We were there for|The occasion was|We had gathered for|The reason for the visit was} {my mother's|my "
            "father's|{friend}'s|my grandmother's} {birthday|fortieth|eightieth|thirtieth}.",
            "{My partner and I|My parents|The two of us} were {celebrating|marking|toasting} "
            "{ten|fifteen|five|twenty-five} years {of marriage|together|since our wedding}.",
            "{friend} {had just turned|was turning} {thirty|forty|fifty|sixty|twenty-one}, {so we wanted somewhere "
            "nice|so we dressed up a little|which called for a proper dinner out}.",
            "{Our whole table|The entire room|Everybody} sang {to {friend}|to my father|to my aunt}, {candles and "
            "all|off key as always|who turned another year older}.",
            "{It was our anniversary|It was our wedding anniversary|It was my big day}, {and we put on our best|so "
            "out we went|so I got to choose the place}.",
            "{Another year older|One more candle on the cake|A round number this year}, and {I wanted good company|my "
            "family took me out|{friend} insisted on a meal out}.",
            "{We picked this place|The family chose it|I had chosen it} to {celebrate the day my father was born|mark "
            "another year of our marriage|ring in {friend}'s next decade}.",
        ),
        (
            "{My birthday|{friend}'s birthday|Our anniversary} is {months away|not until spring|still far off}, so "
            "{this was just a meal|there was nothing to celebrate}.",
            "{No special occasion|Nothing to celebrate|No party}, {just hunger|simply a meal out|only an empty fridge "
            "at home}.",
            "{A large party|Another table|Some group at the back} {had balloons|wore matching suits|clapped about "
            "something}, {though we never learned why|and I wondered what it was for}.",
            "{The restaurant|The place|The building} is {ten|fifteen|twenty-five|forty|thirty} years old, {they "
            "say|according to the menu|I read somewhere}.",
            "{friend} and I have {known each other|worked together} for {ten|fifteen|five|twenty} years.",
        ),
    ),
    Concept(
        "says the prices are too high",
        -1,
        0.20,
        "price",
        (
            "{Far too expensive|Badly overpriced|Way overpriced|Too expensive} for {what you get|what lands on the "
            "plate|such an ordinary {dish}}.",
            "{The {dish} is|The {dishes} are|Everything is} {overpriced|too expensive|priced for tourists|shockingly "
            "expensive}{|, in our opinion|, and not by a little}.",
            "{The prices|Their prices} {are too high|are steep|have gone through the roof|are hard to defend}{| for "
            "this kind of food|, especially for the {dish}}.",
            "{Thirty dollars|Nearly forty dollars|Twenty-eight dollars|That kind of money} for {a plain|an ordinary|a "
            "middling} {dish} is {hard to swallow|a joke|more than I can justify|daylight robbery}.",
            "{The bill|The check|The total} {made my eyes water|gave us a shock|came as a nasty surprise|was far more "
            "than it should have been}.",
            "{I felt|We felt|{friend} felt} {ripped off|overcharged|cheated|a little fleeced} when {we paid|the check "
            "came|we saw the numbers}.",
            "{You pay|We paid|They charge} {through the nose|far too much|top dollar|a small fortune} for {what is "
            "basic cooking|quite ordinary {dishes}|the name on the door}.",
            "{The markup on the wine|What they ask for a glass of {drink}|The charge for bread} is "
            "{outrageous|absurd|simply greedy}.",
            "{It is overpriced|The cost is out of proportion|The whole thing is too dear}, {plain and "
            "simple|whichever way you look at it|even for this part of town}.",
            "{Nothing on the menu|Hardly any plate|Not one dish} {is worth|justifies} {what they ask for it|the "
            "number printed beside it|that sort of money}.",
            "{My wallet|My bank account|Our budget} {is still hurting|took a beating|will need weeks to recover}.",
        ),
        (
            "{The bill|The check|The total} {was split four ways|came on a small tray|went on {friend}'s card|was "
            "about average for the area}.",
            "The prices {are printed on a board|have not changed in a while|are neither low nor high|are about what "
            "you find elsewhere}.",
            "{I never saw the bill|I did not see the check|Someone else paid}, because {my boss|a cousin|my father} "
            "{took care of it|had already settled it}.",
            "{They charge|The charge is} {a dollar|two dollars} for {a second cup of coffee|a bag to take home|oat "
            "milk}, {which seems normal|like everyone else}.",
            "{We paid in cash|I paid by phone|You pay at the door}, {which was no trouble|as the sign asks}.",
            "{A fortune|A small fortune|Serious money} {was spent on|must have gone into} {the lamps|the new "
            "furniture|the tiles}.",
        ),
    ),
    Concept(
        "praises a dessert",
        1,
        0.22,
        "dessert",
        (
            "{For dessert|As dessert} {we had|I had|we shared} {the|a} {sweet}, {and it was superb|which was "
            "delicious|the best thing all night|perfect to the last crumb}.",
            "{The dessert|Dessert|The {sweet} for dessert} was {delicious|the highlight|superb|divine|incredible}{|, "
            "simply that|, all of us agreed}.",
            "{Do not skip|Never skip|Be sure to order} dessert: the {sweet} is {superb|delicious|wonderful|pure joy}.",
            "{The|Their} {sweet} {was|is} {heavenly|out of this world|a dream|the best I have had in years|worth "
            "every calorie}.",
            "{Leave room|Save space|Hold a little back} for {the {sweet}|something sweet|the last course|the pastry "
            "cart}{|, you will thank me|, seriously}.",
            "{friend} {and I fought over|could not stop talking about|would have licked the plate after} the {sweet}.",
            "{I do not usually have a sweet tooth|I rarely order afters}, but {the {sweet}|what came last|the pastry "
            "chef's creation} {won me over|had me scraping the plate|was a small miracle}.",
            "{The meal ended|Things finished|It all ended} {on a high|in style|on a wonderful note} with {a perfect|a "
            "silky|a glorious|a beautifully light} {sweet}.",
            "{Whoever bakes here|The pastry chef|The person behind the {sweet}} {deserves a medal|is a genius|knows "
            "exactly what to do with sugar and cream}.",
            "{One bite|The first spoonful|A single forkful} of {the|that} {sweet} {and I was in love|had us all "
            "smiling|made the table go silent with pleasure}.",
            "{Silky|Creamy|Rich without being heavy|Tangy and light}, the {sweet} {stole the show|was the star of the "
            "meal|is reason enough to visit}.",
        ),
        (
            "{We skipped|We were too tired for|Nobody wanted|We passed on} {dessert|the {sweet}|afters|the sweet "
            "course}.",
            "{The|Their} dessert list {has four items|is on a separate card|was not offered to us|mostly rotates}.",
            "{The|Their} {sweet} was {fine, nothing more|a little dry|too sweet for me|already sold out|forgettable}.",
            "{friend} {baked|brought home|made} {a|one} {sweet} last week, so {I was not after sweets|we had coffee "
            "instead}.",
            "{A tray of pastries|One lonely {sweet}|A bowl of mints} {sat|stood} by {the till|the door|the coffee "
            "machine}.",
            "{I have a sweet tooth|I live for cake}, but {the afters here are ordinary|nothing on the dessert card "
            "tempted me|the {sweet} did little for me}.",
        ),
    ),
    Concept(
        "mentions children at the table",
        0,
        0.16,
        "children",
        (
            "{My kids|Our kids|The kids|The children} {loved|liked|tore into|argued over} {the {dishes}|the "
            "{dish}|the bread}.",
            "{We came|I came|We were there} with {the kids|our kids|two children|our children}{|, aged four and "
            "nine|, who behaved for once|, both hungry}.",
            "{The kids|Our children|The children with us} {got crayons|got a corner to play in|were given small "
            "plates|could watch the cooks}.",
            "{Our two boys|My daughters|Our kids|The twins|Both of our little ones} {shared|split|had} {the "
            "{dish}|the {dishes}|a bowl of pasta}.",
            "{Our son|My daughter|Our youngest|My little nephew|Our toddler} {ate every bite|colored on the paper "
            "tablecloth|fell asleep in the booth|wanted nothing but {dishes}}.",
            "They {had|found|fetched} {a high chair for our baby|a booster seat for the little one|crayons for my "
            "girls|a small plate for our toddler}.",
            "With {three kids in tow|two small children|a four-year-old at the table|a baby on my lap}, {we kept the "
            "order simple|we sat near the door|it was a lively meal}.",
            "{We had the whole family along|It was a family outing}, {from the baby to the ten-year-old|kids "
            "included|with {friend}'s children as well}.",
            "{My six-year-old|Our eight-year-old|The little one} {asked for|devoured|approved of|picked at} the "
            "{dishes}.",
            "I brought {the grandchildren|my little niece and nephew|half of my son's kindergarten class|my "
            "step-kids} {along|with me}.",
        ),
        (
            "{As a kid|As a child|When I was little|As a small boy}, I {hated|loved|would never touch} "
            "{mushrooms|olives|spicy food|fish}.",
            "{There is|They print|They have} {a kids' menu|a children's menu}, {though we had no use for it|I "
            "noticed|not that it mattered to us}.",
            "{It was adults only at our table|None of us has children|It was just grown-ups}, {so I cannot speak for "
            "families|for the record}.",
            "{The baby carrots|The baby potatoes|The small plates} {came with|went with|sat beside} the {dish}.",
            "{The place has been|It has been} {family run|in the same family} {since the seventies|for three "
            "generations|for decades}.",
            "{friend} is {like a kid|like a child} {around {dishes}|when there are {dishes} on the menu}.",
        ),
    ),
    Concept(
        "says the food was served cold",
        -1,
        0.16,
        "temperature",
        (
            "{The food|My food|Everything on the plate|The {dish}} {came out cold|was cold|arrived cold|was cold when "
            "it reached us}{|, sadly|, not just cool}.",
            "{Cold {dishes}|Cold food|A cold {dish}} is {not what I go out for|just not acceptable|a poor start}, "
            "{and that is what we got|yet there it was on my plate}.",
            "{I got|We got|They gave me|{friend} got} {a cold {dish}|cold {dishes}|a cold plate of {dishes}}{| that "
            "should have been hot|, not even lukewarm}.",
            "{My|The|Our} {dish} {was|arrived|came out|reached me} {stone cold|barely lukewarm|cold in the "
            "middle|hardly warm}.",
            "{The|My} {dishes} {had gone cold|were lukewarm at best|had lost all their heat|were no longer warm} {by "
            "the time I got them|when they were set down|when they reached us}.",
            "{friend} {sent back|returned} the {dish} because it {was not even warm|had a chilly center|was cool to "
            "the touch}.",
            "{There was no heat left in|You could not have warmed your hands on|Not a wisp of steam rose from} the "
            "{dish}{|, sadly|, which put me off}.",
            "{The plates|Our mains} {must have sat|had plainly been sitting|were clearly left} {on the pass|on a "
            "shelf|under a dead lamp} {until the heat was gone|long enough to cool down|and cooled}.",
            "{I like my {dish} hot|A {dish} should be hot}, and {this one was anything but|mine was tepid|they served "
            "it at room temperature}.",
            "{Lukewarm|Tepid|Cold} {gravy|sauce|broth} {over|around|with} {the|my} {dish} {ruins it|is no "
            "pleasure|was a letdown}.",
            "{The butter would not even melt on|The cheese had set hard on|A skin of cold fat had formed on} {my|the} "
            "{dish}.",
        ),
        (
            "{The|My} {drink} was {ice cold|properly cold|nicely chilled|a bit warm for my taste}.",
            "I had {a cold|a bit of a cold} {that week|at the time}, so {I could not taste much|spices were lost on "
            "me}.",
            "{Gazpacho|Potato salad|Vitello tonnato} is {served cold|meant to be cold|a cold dish anyway}, {as it "
            "should be|of course}.",
            "{The|My} {dish} {was hot all the way through|came steaming|arrived piping hot|was so hot I had to wait}.",
            "{We asked|I asked|{friend} asked} for {a cold {drink}|a hot tea|some warm milk|a glass of cold water}.",
            "{There was a cold wind|It was warm|It was a chilly day|The heat was fierce}{| when we set out| on the "
            "way there| as we walked over}.",
        ),
    ),
    Concept(
        "plans to come back",
        1,
        0.28,
        "verdict",
        (
            "{I will|We will|{friend} and I will} {be back|come back|go back} {soon|for the {dish}|for the "
            "{dishes}|with friends|before long}.",
            "{I am|We are|{friend} is} {already looking forward to|counting the days to} {going back|coming back|the "
            "next visit|being back}.",
            "{I would|We would} {happily|gladly} {go back|come back} {any time|every week|just for the "
            "{dish}|tomorrow}.",
            "{I will|We will|{friend} and I will} {definitely|certainly|gladly|surely} {be back|return|come again|eat "
            "here again}.",
            "{I am|We are|{friend} is} already planning {another evening there|the next meal here|a second visit|what "
            "to eat there next}.",
            "{Next time|On the next visit|When we return}, {I want to try|I am ordering|we will share} the "
            "{{dish}|{dishes}|{sweet}}.",
            "{This will not be|That was not} {my last visit|our last meal here|the last they see of us}.",
            "{It has become|It is now|Consider it} {our new regular spot|one of my regular places|a fixture in our "
            "week}.",
            "{I cannot wait|We are eager|I am itching} to {go back|see what they cook next season|work through the "
            "rest of the menu}.",
            "{They have won|They gained|They can count on} {a loyal customer|two new regulars|a customer for life}.",
            "{Would I go again|Is it worth a second trip|Another visit}? {In a heartbeat|Without "
            "question|Absolutely|You bet}.",
            "{See you again soon|Until next time|We shall meet again}, {dear kitchen|and keep the {dish} on the "
            "menu|save us a seat}.",
        ),
        (
            "{I went back|I ran back|{friend} had to go back} {to the car for my umbrella|inside for a scarf|to the "
            "office right after}.",
            "{I doubt I will return|We will not be back|I would not go again|I am in no rush to return}{|, to be "
            "honest|, I think|, all told}.",
            "{The people next to us|An older couple|Two men at the bar} {were regulars|said it was their third "
            "visit|come every week}, {apparently|or so we heard|from what I gathered}.",
            "{I might|We may|Perhaps I would} {return someday|come again}, {but I have no plans to|but there are many "
            "places to try|if someone else picks it}.",
            "The last time {I ate|{friend} had} {dishes} was {years ago|some time back|in another city}.",
            "{The {dish} is back|They have brought back the {dish}|The {dish} returns} on the menu {again|this "
            "season|after a break}.",
        ),
    ),
    Concept(
        "complains about noise",
        -1,
        0.14,
        "setting",
        (
            "{It was|The room was|The place was|Inside it was} {far too loud|so loud|much too noisy|unbearably loud} "
            "{to talk|for a conversation|to enjoy the {dish}|for us}.",
            "{The noise|The noise level|All that noise} {was unbearable|spoiled the meal|gave {friend} a "
            "headache|drove us out}.",
            "{Loud music|A loud crowd|Loud voices all around} {ruined it|made talking impossible|left us worn out}.",
            "{We had to shout|I had to shout|{friend} had to yell} {across the table|to be heard|to order}{|, which "
            "was tiring|, no exaggeration}.",
            "{The music|The playlist|The sound system} was {deafening|blaring|turned up far too high|so loud my ears "
            "rang}.",
            "{You cannot|We could not|It is impossible to} {hold a conversation|hear yourself think|talk in peace} in "
            "{there|that room|the main hall}.",
            "{Every word|Each laugh|Every dropped fork} {bounces off|echoes from} {the bare walls|the concrete|the "
            "tiled floor} until {it hurts|your head pounds|nobody can talk}.",
            "{The din|The racket|The roar} {from the bar|of the crowd|from the open kitchen} {wore us out|gave me a "
            "headache|drove us mad}.",
            "{Bring earplugs|Pack earplugs|Take something for a headache}{|, I am not kidding|, honestly}.",
            "{I left hoarse|I went home with my ears ringing|We gave up on talking} {because of the racket|thanks to "
            "the volume|after shouting all through the meal}.",
            "{Conversation|A quiet chat|Talking} was {hopeless|out of the question|a struggle} {over that music|with "
            "the speakers right above us|amid the clatter}.",
        ),
        (
            "{The music|The playlist|The radio} was {mostly old soul records|something jazzy|kept low|barely audible}.",
            "{It was quiet|The room was calm|The place was hushed} {enough to hear the clock|when we came in|and half "
            "empty}.",
            "{I heard|We heard|{friend} heard} about {it|this place} {on the radio|from a taxi driver|over a loud "
            "office lunch}.",
            "{The walls are|The main hall is} {painted dark green|hung with old posters|bare brick}.",
            "We {talked about work|talked over old times|had a long conversation|caught up on gossip} {the whole "
            "meal|and forgot the time}.",
            "{A bell rings|Someone shouts a number|They call your name} when {a ticket is up|an order is ready}.",
        ),
    ),
    Concept(
        "complains about rude staff",
        -1,
        0.16,
        "staff",
        (
            "{server} was {rude|so rude|rude and impatient|rude from the first word} {to us|to {friend}|when I asked "
            "a question|about a simple request}.",
            "{Rude|Plainly rude|Unbelievably rude} {service|staff|treatment}{| at the counter|, no other word for "
            "it|, and nobody apologized}.",
            "{The staff|Everyone working there|The whole team} {was rude|was unfriendly and rude|was rude and "
            "cold|was full of contempt}{| to us|, all of them}.",
            "{server} {rolled their eyes at|snapped at|barely looked at|talked down to} {us|me|{friend}} when {we "
            "asked about the menu|I asked for water|we mentioned an allergy|I wanted a minute to decide}.",
            "{server} {was curt|was downright rude|had an attitude|could not have cared less}{| from start to finish| "
            "with everyone|, and it soured the mood}.",
            "{We were treated|I was treated|Our table was treated} {like a nuisance|with open contempt|as if we were "
            "in the way}.",
            "{I got a sigh|We got a shrug|All I got was a glare} from {server} {instead of an answer|in place of a "
            "welcome|for asking a simple question}.",
            "{Good manners|A smile|Basic courtesy|A simple thank you} {must cost extra here|would have been nice|was "
            "too much to hope for}.",
            "{server} {ignored us|walked past us|looked straight through us} {again and again|while chatting with a "
            "coworker|as we waved}.",
            "{The people who work here|The crew|Those who serve here|The staff} {act as if you are a burden|need a "
            "lesson in hospitality|were snippy with us|seem to dislike guests}.",
            "{I have never been spoken to like that|Nobody has ever been so short with me|I was stunned by the tone} "
            "{in a restaurant|by someone taking an order|over a simple request}.",
        ),
        (
            "{server} {apologized for the mess outside|asked for our names|was on the phone when we came in|pointed "
            "us to the corner}.",
            "{I hate to be rude|It may sound rude|I do not wish to be curt}, but {the decor is dated|the logo looks "
            "like a bank|their website needs work}.",
            "{A man at the bar|Some customer|Another guest} {was rude to|snapped at|rolled his eyes at} {server}, "
            "{who stayed calm|which was awkward to watch}.",
            "{I had read about|Reviews warned of} {rude staff|an attitude problem}, but {we met nothing of the "
            "sort|nobody was unpleasant to us}.",
            "{server} {was new|had started that week|was covering for someone|kept to the script}.",
            "{We asked about the menu|I asked for water|I wanted a minute to decide}, and {that was no problem|we got "
            "what we asked for}.",
        ),
    ),
    Concept(
        "mentions generous portions",
        1,
        0.20,
        "portion",
        (
            "{The portions|Portions|Their portions} {are generous|are huge|are very large|were more than generous}{|, "
            "even the small ones|, so share|, and then some}.",
            "{Huge|Generous|Enormous} portions of {{dishes}|soup and {dishes}|everything}{|, come hungry|, and we had "
            "leftovers}.",
            "{The portion of {dishes}|My portion|A single portion of {dishes}} {was huge|was generous|was enough for "
            "two|was too big to finish}.",
            "{The portions|The plates|The servings|The bowls} {are huge|are enormous|could feed two|would satisfy a "
            "lumberjack}.",
            "{I took half of|We boxed up most of|{friend} carried home half of} the {dish} {because there was so "
            "much|for the next day|and it made a second meal}.",
            "{They do not skimp|They are not stingy|They pile it on}{|, believe me|, that is certain}: the {dish} "
            "{filled a platter|was the size of my head|barely fit on the plate}.",
            "{Come hungry|Wear loose pants|Skip a meal beforehand}, {you will be stuffed|the helpings are "
            "massive|nobody leaves with room to spare}.",
            "{One order|A single order|The half order} of {dishes} was {plenty for three|more than {friend} and I "
            "could finish|a mountain of food}.",
            "{I could not finish|None of us could finish|Not even my hungry uncle finished} {the enormous|the "
            "towering|the heaped} {plate|platter|bowl}.",
            "{A heap|A mound|A small hill} of {dishes} {came with|towered over|surrounded} the {dish}, {far more than "
            "one person needs|enough for a family}.",
            "{We rolled out of there|I waddled home|We left} {full to bursting|happily stuffed|unable to eat another "
            "bite}.",
        ),
        (
            "{The portions|The plates|The servings|The bowls} {are average|are normal in size|are neither big nor "
            "small|are handmade by a local potter}.",
            "{I was not very hungry|I was hungry|I had skipped a meal}, so {I ordered the {dish}|a plate of {dishes} "
            "it was|I had the {dishes}}.",
            "{I could have eaten|{friend} could have eaten} {another plate|twice as much|a second order} of {dishes}.",
            "{They have two sizes of|You can order half a plate of|You can get a box of} {dishes}{|, if you like|, it "
            "says}.",
            "{A huge|An enormous|A massive} {mirror|painting|clock|chandelier} {hangs|looms} over {the bar|the "
            "door|the long table}.",
            "{The {dish} was gone|I finished the {dish}|Not much was left of the {dish}} {after a few bites|rather "
            "soon|before I knew it}.",
        ),
    ),
    Concept(
        "mentions booking a table in advance",
        0,
        0.12,
        "booking",
        (
            "{We had|I had|{friend} had} {made a reservation|reserved a table|booked a table|put in for a "
            "reservation} {well in advance|weeks before|online}.",
            "{Thanks to|With} {our reservation|my reservation|a table booked in advance}, {we walked past the line|we "
            "got the corner seats|there was a card with our name}.",
            "{We booked|I booked|My boss booked} {a table|the round table|seats by the wall} {in advance|a month "
            "ahead|days before|online}.",
            "{I made|We made|{friend} made} {the reservation|a booking} {weeks ahead|by phone|on their website|the "
            "day before}.",
            "{I booked|We booked|{friend} booked} {online|by phone|through an app} {a week ahead|a few days "
            "before|well in advance}.",
            "{Our reservation|The booking} {was under {friend}'s name|had been made weeks earlier|was for six "
            "people|was confirmed by text}.",
            "{I had reserved|We had reserved|My office had reserved} {a corner table|the round table|four seats|a "
            "booth} {beforehand|the day before|ahead of time}.",
            "{I called ahead|We rang beforehand|{friend} phoned in the morning} {and they held a table|to secure a "
            "spot|to put our name down}.",
            "{It took two tries|It took three weeks|I needed some luck} to {get a reservation|land a booking|find a "
            "free slot on their calendar}.",
            "They {asked for a card number|sent a reminder|wanted a deposit} {when I made the reservation|when we put "
            "our name down|to hold our table}.",
        ),
        (
            "We {walked in|just turned up|wandered in off the street} {without a reservation|with no booking|without "
            "calling ahead}.",
            "{They do not take|The place does not take|No one takes} {bookings|reservations} {for small "
            "groups|here|at the bar}, {it turns out|so you take your chances}.",
            "{A shelf of old books|A pile of cookbooks|The guest book} {stands|lies|sits} {by the door|near the "
            "corner table|next to the till}.",
            "{I have my reservations|I have some reservations} about {the decor|the name|the font on the menu}{|, if "
            "I may}.",
            "{The corner table|The round table|The big booth} {is by the window|looks like the best seat|was free}.",
            "{I called|We rang|{friend} phoned} {to ask about the dress code|about a scarf I left|for directions}.",
        ),
    ),
    Concept(
        "says the place is good value",
        1,
        0.16,
        "price",
        (
            "{Good|Very good|Fantastic} value{| for money| all around}, {and cheaper than next door|with honest "
            "prices|above all the {dishes}}.",
            "{The prices|Their prices} {are very fair|are low|are a pleasant surprise|are hard to beat}{| for this "
            "quality| for such a {dish}}.",
            "{So cheap|Surprisingly cheap|Cheap} {for food this good|for a {dish} like that|and yet so well cooked}.",
            "{The {dish} is|The {dishes} are|Everything is} {well priced|very reasonably priced|cheap and good|great "
            "value}.",
            "{Great|Excellent|Real|Terrific} value for {what you get|a meal of this quality|this part of town}.",
            "{The bill|The check|The total} was {pleasantly low|lower than I feared|a nice surprise|almost too small "
            "to believe}.",
            "{We ate like kings|Three courses|A full meal with drinks} for {the price of a sandwich elsewhere|less "
            "than twenty dollars|next to nothing}.",
            "{You get|We got|They give you} {a lot|more than enough|plenty} {for your money|for very little|for a few "
            "dollars}.",
            "{It is easy on the wallet|It will not break the bank|You can eat here without going broke}{|, which "
            "matters to us|, a rare thing these days}.",
            "{For twelve dollars|At that price|For so little money}, {the {dish} is a steal|nobody can complain about "
            "the {dish}|the set menu is unbeatable}.",
            "{What a bargain|A real bargain|Such a deal}, {considering the cooking|especially the {dishes}|with bread "
            "included}.",
            "{I kept checking the receipt|I thought they had forgotten something|I asked twice} because {it seemed "
            "too cheap|we owed so little|the sum was so modest}.",
        ),
        (
            "{I value|{friend} values} {a short menu|a clean design|an honest cook} {more than most|above all}.",
            "{The receipt|The check} {lists every item|has a little drawing on it|came by email|had a survey on the "
            "back}.",
            "{There is|They run} {a happy hour|a deal on {dishes}|a set menu} {on some days|in the winter}, {which we "
            "missed|though not when we came}.",
            "{The chairs|The curtains|The menus} {look cheap|look like a bargain find|must have cost little}, {if you "
            "ask me|but who cares}.",
            "{I left|We left} {twenty dollars|twelve dollars|a few dollars} {for the band|as a tip|in the jar}.",
            "{The money|Part of the bill|A dollar of every check} {goes to|helps} {a shelter|the food bank|a local "
            "school}.",
        ),
    ),
    Concept(
        "says the order was wrong",
        -1,
        0.13,
        "order",
        (
            "{They got|The kitchen got|Somebody got} {our order|my order|{friend}'s order} {wrong|completely "
            "wrong|wrong twice}.",
            "{They brought|I was brought|We were brought} the wrong {{dish}|{dishes}|plates|drinks}{| first|, and "
            "then the wrong bill|, then shrugged}.",
            "{My order|Our order|{friend}'s order} {was wrong|came out wrong|was mixed up with another|went to the "
            "wrong table}{|, twice|, no excuse given}.",
            "{I ordered|I had asked for|{friend} ordered} the {dish} and {got|was given|ended up with} {something "
            "else entirely|a plate of {dishes}|someone else's plate}.",
            "{They forgot|The kitchen forgot|Somebody forgot} {my|our|{friend}'s} {side of "
            "{dishes}|salad|drinks|starter}{| completely|, and we had to chase it}.",
            "{They mixed up|Somebody mixed up|They muddled} {our plates|two of our orders|the whole ticket}{|, "
            "twice|, start to finish}.",
            "{I said no onions, and onions|I said no cheese, and cheese|We asked for sauce on the side, and it} "
            "{covered|smothered|buried} {everything|the {dish}}.",
            "{The wrong|An entirely different|Somebody else's} {dish} {landed in front of me|was put before "
            "{friend}|reached our table}.",
            "{Medium rare|Well done} was what {I asked for|{friend} asked for}; {the opposite|something else} is what "
            "came.",
            "{What arrived|What came out|What they brought} {bore no relation to|did not match|was not} {what we "
            "ordered|the order we gave|what I had chosen}.",
            "{Half of our order|One of the mains|Part of our order} {never made it|was missing|had been left off the "
            "ticket}.",
        ),
        (
            "{I ordered|I had asked for|{friend} ordered} the {dish} and {some bread|some {dishes} to share|a side "
            "salad}.",
            "{They got our order right|Every item was as we asked|The order came as we gave it}{|, sauce on the side "
            "and all|, no onions included}.",
            "{I forgot|{friend} forgot} {a scarf|the name of the cheese|my glasses|what was in the sauce}.",
            "{I ordered the same as {friend}|I could not decide what to order|We let {friend} order for everyone}{|, "
            "as usual|, in the end}.",
            "{There is nothing wrong with|I see nothing wrong with} {a short menu|paper napkins|a plain {dish}}.",
            "{The salad|The sauce|The side of {dishes}} {has|came with|is made with} {onions|cheese|mustard}{|, I "
            "believe}.",
        ),
    ),
    Concept(
        "praises the view or the outdoor seating",
        1,
        0.15,
        "setting",
        (
            "{What a view|A great view|Such a view} {from our table|from the terrace|over the bay}{: I could have "
            "stayed for hours|: simply beautiful|: worth the trip}.",
            "{We sat|I sat|Our group sat} {outside|on the patio|on the terrace} {and loved it|with a beautiful "
            "view|in the sun, so pleasant}.",
            "{The outdoor seating|Sitting outside|Eating on the patio} {is lovely|is the best part|was a joy|is "
            "wonderful}{| in good weather|, view and all}.",
            "{We sat outside|We took a table on the patio|{friend} chose the terrace}, {under the trees|in a soft "
            "breeze|surrounded by flowers}, and {it was bliss|it was lovely|it was perfect}.",
            "{The view|The outlook} {over the river|of the harbor|of the hills|across the square} is "
            "{breathtaking|gorgeous|hard to beat|stunning}.",
            "{The patio|The garden|The rooftop|The terrace} is {a gem|a delight|charming|the best seat in town}.",
            "{Ask for|Insist on|Try to get} {a window seat|a spot by the railing|a place on the deck}, {the scenery "
            "is worth it|since the panorama is glorious|and enjoy the skyline}.",
            "{Watching the boats|Seeing the sails go by|Looking out over the water} {from our table|while eating|with "
            "a {drink} in hand} was {magical|a treat|worth the trip alone}.",
            "{What a setting|Such a beautiful spot|A lovely backdrop}, {right on the water|with the mountains "
            "behind|high above the rooftops}.",
            "{Fresh air|Shade|Birdsong}, {string lights|potted lemons|climbing roses} and {a table in the courtyard|a "
            "seat in the garden}: {I was happy|what more do you want}.",
        ),
        (
            "{The patio|The garden|The rooftop|The terrace} {was closed|is still being built|was full|is for "
            "smokers}, so {we sat indoors|inside it was}.",
            "{We sat inside|We sat indoors|We took a table by the bar}, {since rain was forecast|near the heater|as "
            "it was windy}.",
            "{In my view|From my point of view|To my mind}, {a menu should fit on one page|a place like this needs "
            "more light|{dishes} belong on every menu}.",
            "{You look out on|The window faces|We overlooked} {a parking garage|a gray wall|a building site|the bins}.",
            "{The river|The harbor|The square|The water} is {a short walk away|ten minutes on foot|just out of sight}.",
            "{They grow herbs|They keep a few plants|Somebody grows tomatoes} {in the window|on the roof|in the "
            "yard}{|, I was told}.",
        ),
    ),
    Concept(
        "says the place was dirty",
        -1,
        0.12,
        "cleanliness",
        (
            "{The place|The room|The dining room|The whole place} {was dirty|looked dirty|felt dirty|was not "
            "clean}{|, corners included|, and nobody cared}.",
            "{Dirty|Visibly dirty} {tables|plates|glasses|forks} {everywhere|stood around|were on every side}{|, "
            "ugh|, in full view}.",
            "{My glass|My plate|My fork|The cutlery} was {dirty|filthy|not clean|dirty, with bits stuck to it}.",
            "{The table|Our table|The bench} was {sticky|covered in crumbs|greasy|still smeared from the last guests}.",
            "{There was|I found|{friend} spotted} {a hair|lipstick|dried egg|an old stain} {on my fork|on the rim of "
            "the glass|on a supposedly clean plate}.",
            "{The restroom|The bathroom|The toilet} {was filthy|was a disgrace|reeked|needed a good scrub}{|, "
            "frankly|, I am sorry to say}.",
            "{The floor|The carpet} {stuck to my shoes|had not seen a mop in weeks|was littered with old napkins}.",
            "{Somebody should|They ought to} {wipe down the menus|wash the windows|dust those lamps}: {everything is "
            "grimy|the grease is visible|I did not want to touch them}.",
            "{Hygiene|Cleanliness} {is clearly not a priority|seems to be an afterthought|leaves much to be "
            "desired}{|, to put it mildly}.",
            "{Flies circled|Ants marched past|Something small scurried by} {our plates|the bread basket|the "
            "counter}{|, which killed my appetite|, in plain sight}.",
            "{We had to wipe|I cleaned|{friend} wiped} {the seats|the cutlery|our own table} before {sitting "
            "down|touching anything}.",
        ),
        (
            "{The restroom|The bathroom|The toilet} is {down the stairs|at the back|through the yard|behind the bar}.",
            "{The room|Everything|The kitchen behind the glass} {looked clean|was spotless|smelled of soap}{|, by the "
            "way|, as one would hope}.",
            "{I spilled|{friend} spilled} {sauce on my shirt|wine on the carpet|crumbs all over the bench}.",
            "{Clean flavors|A clean, simple sauce|Clean lines and bare wood}{|, nothing fussy|, if that is your "
            "thing}.",
            "{The floor|The carpet|The bench} is {old oak|dark red|new|made from church wood}.",
            "{Dirty fries|Dirty martinis} {are on the menu|are a thing here|were the special}, {whatever that "
            "means|for the curious}.",
        ),
    ),
    Concept(
        "mentions a vegetarian or vegan guest",
        0,
        0.11,
        "diet",
        (
            "{My aunt|My niece|My boss|Our host|One of us} is {vegetarian|vegan|a vegetarian|a strict vegan} and {had "
            "the tofu|was happy with the lentils|found two things to eat}.",
            "{The vegetarian|The vegan|The only vegan} {in our group|at our table|among us} {had the eggplant|ate "
            "well|got a plate of vegetables}.",
            "{My aunt|My niece|My boss|Our host} {does not eat meat|is vegetarian|has been vegan for years|lives on "
            "plants}{|, so the choice was limited|, so we asked first}.",
            "{My aunt|My niece|My boss|Our host}, {a lifelong vegetarian|who is vegan|who eats no meat}, {had the "
            "mushroom plate|went for the beans|picked from the sides}.",
            "{Two of our group|Half of our party|My parents} {are vegetarians|avoid meat|eat no animal products}.",
            "{My aunt|My niece|My boss|Our host} {gave up meat|stopped eating animals|quit meat and fish} {years "
            "ago|last winter|as a student}, so {the eggplant it was|we looked up the meatless dishes first}.",
            "{They made|The cook made|Somebody put together} {a meat-free version|a version without dairy or eggs|a "
            "plate of vegetables} {for my niece, who is vegan|for the only vegetarian among us}.",
            "{My vegan friend|Our vegetarian daughter-in-law|The non-meat-eater in our group} {chose|had|picked} {the "
            "lentils|the eggplant|roasted cauliflower|the tofu}.",
        ),
        (
            "{I eat everything|We are all meat eaters|{friend} could not live without meat}, {as a rule|so the {dish} "
            "it was|I admit}.",
            "{There are|I counted} {two vegan options|three meatless dishes|a few vegetarian plates} on the menu{|, "
            "for those who care|, should you need them}.",
            "{The vegetables|The lentils|The mushrooms|The beans} {came from a nearby farm|were a side|were cooked in "
            "butter|tasted of smoke}.",
            "{Meat|Fish|Beef} is {the focus|what they are known for|most of the menu}{| here|, as the name suggests}.",
            "{A plant|A row of plants|A fake plant} {stands in the window|hides the coat rack|hangs above the bar}.",
        ),
    ),
    Concept(
        "mentions something given on the house",
        1,
        0.10,
        "gift",
        (
            "{The coffee|A round of {drink}|The {sweet}|A plate of {dishes}} {was on the house|came on the house|came "
            "free|was free for us}{|, so kind|, a nice touch}.",
            "{We got|I got|{friend} got} {a free {drink}|free coffee|a free {sweet}|the {dishes} for free}{|, just "
            "like that|, on the house}.",
            "{server} {brought|sent over|gave us} {a round of drinks|a plate of {dishes}|a slice of cake|some olives} "
            "{on the house|free of charge|as a gift|without charging us}.",
            "{They took|The manager took|Somebody kindly took} the {{dish}|coffee|drinks|starters} off {the bill|our "
            "check|the total}.",
            "{We did not have to pay|They would not let us pay|Nobody charged us} for {the coffee|the {dishes}|our "
            "first drinks}.",
            "{The coffee was|Our second bottle was|A tray of {dishes} was} {complimentary|on them|their treat}{|, a "
            "kind gesture|, believe it or not}.",
            "{A free|A complimentary} {{sweet}|glass of {drink}|bowl of olives|espresso} {turned up|appeared|was "
            "waiting} {at the end|with the check|to say thanks}.",
            "{The chef|The manager|The owner} {treated us to|surprised us with|slipped us} {an extra course|a little "
            "something|two glasses of port}{, at no cost| and would not hear of payment|, free of charge}.",
        ),
        (
            "{The house wine|The house red|The house white|The house lemonade} is {decent|what most people "
            "have|poured from a jug|fine}.",
            "{The wifi is free|Tap water is free|Bread refills are free}{| of charge|, of course|, for what it is "
            "worth}.",
            "{Feel free|You are free} to {sit where you like|choose your own table|look into the kitchen}.",
            "{I treated|We treated} {friend} to {the {dish}|a plate of {dishes}|coffee}.",
            "{It is an old house|The house dates from 1910|It looks like a private house}, {set back from the "
            "street|easy to miss|with a red door}.",
            "{They sell gift cards|There are gift cards|A gift shop is} {by the register|at the counter|next door}.",
        ),
    ),
    Concept(
        "says the food came quickly",
        1,
        0.18,
        "speed",
        (
            "{The food|Our food|The {dish}} {came quickly|came fast|arrived quickly|was quick to arrive}{|, in hardly "
            "ten minutes|, even with a full house}.",
            "{Quick|Very quick|Fast} {service|work from the kitchen}{: we had our food in minutes|: the {dish} came "
            "at once|, and nobody had to wait}.",
            "{The service|Service} {is quick|was fast|was very quick}, {and the food came in minutes|with plates out "
            "in a flash|from order to first bite}.",
            "{Our plates|The mains|All of our dishes} {were on the table|came out|arrived} {within minutes|in no "
            "time|before we had finished our drinks|almost at once}.",
            "{The kitchen|Whoever was cooking} {works fast|moves like lightning|keeps up an impressive pace} and "
            "{feeds a full room without delay|wastes no time|has a {dish} out in minutes}.",
            "{We were|I was|Our group was} eating {barely ten minutes|a quarter of an hour|five minutes} after "
            "{ordering|sitting down|handing back the menus}.",
            "{I barely had time|There was hardly time|We scarcely had a chance} to {take off a coat|look at a "
            "phone|say hello} before {the food|the {dish}|our order} {was in front of us|appeared}.",
            "{Anyone in a hurry|Anyone with a train to catch|Office workers on a short break} will {appreciate|like} "
            "{how fast orders come out|the speed of the kitchen|getting fed so promptly}.",
            "{Prompt|Speedy|Swift} {cooking|work in the kitchen}, {with no gap worth mentioning between courses|and "
            "the {dish} came right away}.",
            "From {ordering to eating|the menus to the first bite} it was {no more than|less than|about} "
            "{ten|eight|twelve} minutes.",
        ),
        (
            "{Fast food|A quick bite} is {not the idea here|hardly the point of this place|something else}.",
            "{server} {talks fast|spoke so quickly that I missed half of it|ran through the specials at high speed}.",
            "The menu is {a quick read|short and read in two minutes|quick to get through}.",
            "{I had|We had} {ten minutes|a few minutes|a quarter of an hour} to {look around|stroll down the "
            "street|find the entrance} before {our friends came|the doors opened}.",
            "I {wolfed down|finished|ate} {my|the} {dish} {in no time|within minutes|in about ten minutes}.",
            "{We had a train to catch|I was in a hurry|My break is short}, so {I had only the {dish}|we ordered no "
            "starters|I kept to one course}.",
        ),
    ),
    Concept(
        "complains about parking",
        -1,
        0.11,
        "parking",
        (
            "{Parking|The parking|The parking situation} {is terrible|is awful|is a mess|was a struggle}{|, as ever|, "
            "so come early}.",
            "{We could not|I could not|{friend} could not} {find parking|find anywhere to park|park anywhere near}{| "
            "for half an hour|, not for miles}.",
            "{There is|They have} {no parking|nowhere near enough parking|hardly any parking}{| at all| for guests|, "
            "so plan ahead}.",
            "{We circled|I circled|{friend} drove around} {the block|the neighborhood} {four times|for twenty "
            "minutes|again and again} {looking for a spot|before finding a space|to get rid of the car}.",
            "{Parking|Finding a space|Leaving the car anywhere} {is a nightmare|is hopeless|takes real patience|is a "
            "headache}{| around there| in that street|, be warned}.",
            "{The lot|Their lot|The parking lot} {holds about four cars|was jammed|is far too small|was full, and so "
            "was the street}.",
            "{I got a ticket|We got towed|{friend} came back to a fine}, {because there is nowhere legal to "
            "park|since the signs make no sense|the price of leaving a car out front}.",
            "{Take the bus|Leave the car at home|Go by taxi}, {since you will not find a space|because there is "
            "nowhere to park|the garage is always full}.",
            "{We ended up|I ended up} parking {six blocks away|at the far end of the mall|in a muddy field}, {as "
            "every space was taken|with nowhere closer for the car}.",
        ),
        (
            "{{friend} did the driving|Someone else drove|I was dropped off}, so {I cannot speak to the parking|I "
            "know nothing about the parking}.",
            "{We parked right outside|There is a big lot behind the building|We found a space out front}{|, no "
            "trouble|, without any fuss}.",
            "{It is two blocks from|It lies a few streets from|It is close to} {the park|the ballpark|the bus "
            "station|the garage where I work}.",
            "{A street fair|A ball game|A film crew} {filled the block|was on nearby|had taken over the street}, {and "
            "we watched for a while|which was fun to see}.",
            "{friend} {talked about cars|told the story of a parking ticket from college|complained about the "
            "bus|showed me photos of a new car}.",
            "{The space|The room|The lot next door} {used to be|was once} {a garage|a gas station|a car showroom}.",
        ),
    ),
    Concept(
        "reports feeling ill after the meal",
        -1,
        0.09,
        "verdict",
        (
            "{I got|I felt|{friend} got|We both got} {sick|very sick|quite ill} {after eating here|after the "
            "{dish}|from the {dishes}|that night}.",
            "{The {dish}|The {dishes}|Something we ate} made {me|us|{friend}} {sick|ill|terribly sick}{| that same "
            "night| for two days}.",
            "{I was sick|{friend} was sick|Two of us were sick} {all night|the whole next day|within hours}{|, and "
            "the {dishes} are to blame|, thanks to the {dish}}.",
            "{The {dish}|The {dishes}|Something in the sauce} {gave me food poisoning|upset my stomach|did not agree "
            "with any of us|had me running to the bathroom}.",
            "{I spent the night|{friend} spent the night} {bent over the toilet|with terrible cramps|throwing up} "
            "{after eating here|after that meal|because of the {dish}}.",
            "{My stomach|My gut} {has not been right|has been in knots|has hurt} ever since {that {dish}|the "
            "{dishes}|our visit}.",
            "{A doctor's visit|Two days in bed|A queasy, sleepless night} {followed|came after} {the {dish}|their "
            "{dishes}|eating there}.",
            "{Nausea hit me|I felt queasy|The cramps began} {an hour after the {dish}|soon after we ate|on the drive "
            "home}.",
        ),
        (
            "{I was sick|{friend} was ill|I had a stomach bug} {last month|the week before|in the spring}, so {it was "
            "good to be out|this was a first meal out since}.",
            "{I am sick of|I am tired of|{friend} is sick of} {chain restaurants|cooking at home|the office canteen}.",
            "{No one felt ill|Nobody got sick|My stomach was fine}{| afterward|, in case you wonder}, {even with the "
            "{dishes}|unlike at some places}.",
            "{friend} is {a nurse|a doctor|a night nurse} and {works nearby|had the day off|came straight from work}.",
            "{The {dish} is named after|The bar is named after} {a doctor|an old hospital|the owner's dog}.",
        ),
    ),
    Concept(
        "mentions visiting from out of town",
        0,
        0.13,
        "travel",
        (
            "{We were|I was|{friend} and I were} visiting {the city|from out of town|from Ohio|from Canada|from the "
            "coast}{| for a few days|, first time here}.",
            "{Visiting|Passing through town|In town} {for a few days|for a conference|on vacation}, {we found this "
            "place|I ate here twice|we asked our hotel}.",
            "{On our trip|During our trip|On vacation} {to the city|through the state|with {friend}}, {we stopped "
            "here|this was our first stop|we ate here}.",
            "{We were|I was|{friend} was} {in town|in the city} for {a conference|a wedding|a long weekend|work}{| "
            "and staying nearby|, just for a few days}.",
            "{We drove|I drove|{friend} drove} {two hours|three hours|in from the next state} {to get here|to see the "
            "city|for a weekend here}.",
            "{We are not from here|I do not live here|We were tourists}, so {we relied on a guidebook|I asked at the "
            "hotel|a map was needed}.",
            "{Our hotel|The place we were renting|The motel} {recommended it|was around the corner|had no kitchen}, "
            "{so in we went|and we were hungry from the flight}.",
            "{It was the last stop|This was a stop} {of a long road trip|on our vacation|between two airports}.",
            "{Fresh off the plane|Straight from the airport|With our suitcases still in the car}, {we wanted a "
            "meal|we found this place|{friend} and I sat down here}.",
        ),
        (
            "{I live|We live|{friend} lives} {around the corner|two streets away|in the next building|nearby}.",
            "{It is next to|It stands across from|You find it behind} {the hotel|the train station|the tourist "
            "office|the museum}.",
            "{We have lived here|I have worked in this town|We have been locals} {for years|for ages|since college}.",
            "{The owner|The cook|The chef} {comes from|flew in from|trained in} {another state|Portugal|Lima|Osaka}.",
            "{friend} {was away on a trip|is flying to Lisbon soon|drives a taxi|had just moved|sells plane tickets}, "
            "{which we talked about|a long story}.",
            "{The walls show|There are pictures of|The menu has drawings of} {airplanes|old hotels|trains|road maps}.",
        ),
    ),
)

# At most one of these, and always first.
OPENERS = (
    "{Stopped in|Came here|Went there|Dropped by} {on a Tuesday|last Friday|on Sunday|one rainy evening|after a "
    "movie} with {friend}.",
    "{friend} {suggested|picked|recommended|found} this {place|spot|restaurant|one}{| a while ago|, and I went along}.",
    "{I had read about|I had heard of|I had seen pictures of} this {place|spot|restaurant} {many times|more than "
    "once} and {finally went in|at last gave it a try}.",
    "{Dinner|Lunch|A late lunch|An early dinner} with {friend} {last week|the other day|on Thursday|on a Monday}.",
    "{It was|This was} {my first|our first|my second|our third} visit {to this place|since it opened|here}.",
    "There were {four of us|five of us|three of us|six of us} {for dinner|for lunch} {last Saturday|on Wednesday|in "
    "early March|over the holidays}.",
    "{Here is|This is} {my honest take|a short report|what I noted down}{| on this place| after one meal| for anyone "
    "curious}.",
    "{A word|A few words|Some notes} {about|on} {our lunch|our dinner|my visit} {last week|in October|on Sunday}.",
)

FILLERS = (
    "{I had|We shared|I chose|I went for} the {dish} with {rice|a salad|potatoes|bread|green beans}.",
    "{friend} had the {dish}, {and I had the {dishes}|I went with the {dishes}|and we swapped halfway}.",
    "The menu {is short|runs to two pages|has a bit of everything|leans Italian|changes with the seasons|is written "
    "on a board}.",
    "{The walls are|The front is} {painted blue|covered in photographs|mostly brick|a mix of wood and tile}.",
    "{They|The owners} {opened|moved here|took over} {a few years ago|in the spring|after the old bakery left|last "
    "year}.",
    "We {drank|ordered|started with} {a bottle of red|a jug of water|two beers|coffee|a pot of tea} {and some "
    "bread|between us|to begin with}.",
    "The {dish} {comes with|is cooked with|is served with} {garlic|lemon|herbs|a slice of bread|pepper sauce|ginger}.",
    "{There are|I counted} {about twenty tables|a dozen seats at the bar|two rooms|several booths} {inside|in "
    "all|altogether}.",
    "{The lights|The lamps} are {dim|bright|made of old bottles|shaped like lemons}.",
    "{It is|You find it} {near the station|by the post office|on the main street|opposite the library}{|, next to a "
    "florist|, on the corner}.",
    "{The chairs|The stools|The tables} are {wooden|metal|mismatched|painted white}{|, like in a schoolroom|, if that "
    "matters}.",
    "{My phone died|I lost a glove|I wore the wrong shoes|It rained a little}, but {that is another story|never "
    "mind|such is life}.",
    "The {dishes} were {fine|decent|all right|as described|much like anywhere else}.",
    "I {tasted|tried} {a bite|a forkful|some} of {friend}'s {dish}{| too| as well|, out of curiosity}.",
    "{There was|They had} {a game|the news|an old film} on {the screen|the television} {above the bar|in the corner}.",
    "{My rating|This review|What I write} is {about the visit as a whole|based on one meal|only my opinion}.",
    "{The name|The sign} {is in French|is easy to miss|means little bird|is hand painted}{|, I think|, I was told}.",
    "{They take cards|They take cash and cards|You can pay by phone}{|, and tipping is up to you|, as you would "
    "expect}.",
)
