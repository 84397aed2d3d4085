"""Methods x seeds as processes of one machine, and the tables of what they reached."""
