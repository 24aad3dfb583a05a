// Shows the rows that have the text that is looked for, and hides sections without any.
const find = document.getElementById("find");
const unequal = document.getElementById("unequal");
function filter() {
  const wanted = find.value.trim().toLowerCase();
  for (const body of document.querySelectorAll(".matrix tbody")) {
    let left = 0;
    for (const row of body.rows) {
      if (row.classList.contains("section")) continue;
      const text = row.cells[0].textContent.toLowerCase();
      row.hidden = !text.includes(wanted) || (unequal.checked && row.classList.contains("equal"));
      left += row.hidden ? 0 : 1;
    }
    body.hidden = left === 0;
  }
}
find.addEventListener("input", filter);
unequal.addEventListener("change", filter);
